// The rules that a device shares with all others: what a filter selects, how configuration is merged, what names may hold.

/** Whether the JSON value part is contained in whole: objects by their keys, arrays by having each element somewhere. */
export function subset(part, whole) {
  if (Array.isArray(part)) {
    return Array.isArray(whole) && part.every((p) => whole.some((w) => subset(p, w)));
  }
  if (isObject(part)) {
    return isObject(whole) && Object.keys(part).every((k) => Object.hasOwn(whole, k) && subset(part[k], whole[k]));
  }
  return part === whole;
}

/** RFC 7396: patch laid over target; null removes. Neither is changed. */
export function mergePatch(target, patch) {
  if (!isObject(patch)) return patch;
  const out = isObject(target) ? { ...target } : {};
  for (const [k, v] of Object.entries(patch)) {
    // "__proto__" would name the prototype and not a key.
    if (k === "__proto__") continue;
    if (v === null) delete out[k];
    else out[k] = mergePatch(out[k], v);
  }
  return out;
}

/** A text as one token of a subject. */
export function token(text) {
  // eslint-disable-next-line no-control-regex
  return text === "" ? "_" : text.replace(/[\x00-\x20.*>\x7f]/g, "_");
}

/** Whether the value is a JSON object. */
export function isObject(v) {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}

/** The text without control characters and at most n characters long. */
export function clean(text, n) {
  const plain = String(text).replace(/[\p{Cc}\p{Cf}]/gu, " ").trim();
  const all = [...plain];
  return all.length > n ? all.slice(0, n - 1).join("") + "…" : plain;
}

/**
 * What a server URL says: the URLs to connect to without credentials, and the credentials in it or null.
 * Several URLs are separated by commas. Hosts that mean "every address" become the host of this page.
 */
export function parseServers(text, page = globalThis.location) {
  const urls = [];
  let credentials = null;
  for (let one of String(text).split(",").map((s) => s.trim()).filter(Boolean)) {
    if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(one)) one = (page.protocol === "https:" ? "wss://" : "ws://") + one;
    const scheme = one.slice(0, one.indexOf(":")).toLowerCase();
    const as = { ws: "ws", wss: "wss", http: "ws", https: "wss" }[scheme];
    if (!as) throw new Error(`a browser connects to ws:// and wss:// only, not to ${clean(scheme, 12)}://`);
    let u;
    try {
      u = new URL(as + one.slice(scheme.length));
    } catch {
      throw new Error("this is no server URL");
    }
    if (u.username !== "" && credentials === null) {
      const user = decodeURIComponent(u.username);
      credentials = u.password === "" ? { token: user } : { user, password: decodeURIComponent(u.password) };
    }
    if (u.hostname === "0.0.0.0" || u.hostname === "[::]") u.hostname = page.hostname;
    urls.push(`${as}://${u.host}${u.pathname === "/" ? "" : u.pathname}${u.search}`);
  }
  if (urls.length === 0) throw new Error("no server is named");
  return { urls, credentials };
}
