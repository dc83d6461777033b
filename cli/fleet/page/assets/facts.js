// What a browser tells about the machine it runs on. Much of it is unknown outside secure contexts and on some browsers.

const GIB = 2 ** 30;

/** The hardware and software of this device: model, os, arch, cpus, memory (bytes, 0 for unknown) and browser. */
export async function facts(nav = navigator) {
  const ua = nav.userAgent ?? "";
  let hints = {};
  try {
    hints = (await nav.userAgentData?.getHighEntropyValues(["architecture", "bitness", "model", "platformVersion", "fullVersionList"])) ?? {};
  } catch {
    // A browser may refuse to tell.
  }
  const os = system(ua, nav, hints);
  return {
    model: hints.model || model(ua, os.name),
    os,
    arch: architecture(ua, hints),
    cpus: nav.hardwareConcurrency ?? 0,
    memory: Math.round((nav.deviceMemory ?? 0) * GIB),
    browser: {
      ...browser(ua, hints),
      language: nav.language ?? "",
      mobile: hints.mobile ?? /Mobi/.test(ua),
      touch: (nav.maxTouchPoints ?? 0) > 0,
      screen: globalThis.screen ? { width: screen.width, height: screen.height, scale: globalThis.devicePixelRatio ?? 1 } : null,
    },
  };
}

function system(ua, nav, hints) {
  const version = hints.platformVersion ?? "";
  const found = (re) => (ua.match(re)?.[1] ?? "").replaceAll("_", ".");
  if (/Android/.test(ua)) return { name: "Android", version: version || found(/Android ([\d.]+)/) };
  // An iPad calls itself a Macintosh; only its touch screen gives it away.
  const tablet = /Macintosh/.test(ua) && (nav.maxTouchPoints ?? 0) > 1;
  if (/iPhone|iPad|iPod/.test(ua) || tablet) return { name: "iOS", version: found(/(?:OS|Version)[ /]([\d_.]+)/) };
  if (/Mac OS X|Macintosh/.test(ua)) return { name: "macOS", version: version || found(/Mac OS X ([\d_.]+)/) };
  if (/Windows/.test(ua)) return { name: "Windows", version: version || found(/Windows NT ([\d.]+)/) };
  if (/CrOS/.test(ua)) return { name: "ChromeOS", version };
  if (/Linux|X11/.test(ua)) return { name: "Linux", version };
  return { name: hints.platform ?? "", version };
}

function model(ua, os) {
  if (/iPhone/.test(ua)) return "iPhone";
  if (/iPad/.test(ua)) return "iPad";
  if (os === "iOS") return "iPad";
  if (os === "macOS") return "Mac";
  const android = ua.match(/Android [\d.]+; ([^;)]+)/)?.[1]?.replace(/ Build\/.*/, "");
  return android && android !== "K" ? android : "Browser";
}

/** Processor names are those that Go uses, so that one filter finds agents and browsers. */
function architecture(ua, hints) {
  if (hints.architecture === "x86") return hints.bitness === "32" ? "386" : "amd64";
  if (hints.architecture === "arm") return hints.bitness === "32" ? "arm" : "arm64";
  if (/x86_64|Win64|x64|amd64/i.test(ua)) return "amd64";
  if (/aarch64|arm64|iPhone|iPad/i.test(ua)) return "arm64";
  return "";
}

function browser(ua, hints) {
  const brand = hints.fullVersionList?.find((b) => !/Not.?A.?Brand|^Chromium$/i.test(b.brand)) ??
    hints.fullVersionList?.find((b) => b.brand === "Chromium");
  if (brand) return { name: brand.brand, version: brand.version };
  for (const [name, re] of [
    ["Edge", /Edg(?:A|iOS)?\/([\d.]+)/],
    ["Firefox", /(?:Firefox|FxiOS)\/([\d.]+)/],
    ["Chrome", /(?:Chrome|CriOS)\/([\d.]+)/],
    ["Safari", /Version\/([\d.]+).*Safari/],
  ]) {
    const m = ua.match(re);
    if (m) return { name, version: m[1] };
  }
  return { name: "Browser", version: "" };
}
