// The page: what a person sees of the device and can do with it. Text from the network enters it as text and never as markup.

import { Chart, short } from "./chart.js";
import { Device } from "./device.js";
import { facts } from "./facts.js";
import { deviceID, keepNickname, nickname, remember, remembered } from "./identity.js";
import { clean, parseServers } from "./rules.js";
import { SurveyView } from "./view.js";

const LOG_LINES = 200;
const $ = (id) => document.getElementById(id);

const settings = await (await fetch("settings.json")).json();
const identity = { id: await deviceID(), nickname: nickname(), labels: settings.labels, version: settings.version, facts: await facts() };
const chart = new Chart($("chart"));
const survey = new SurveyView($("questions"), { id: identity.id, vote });
const device = new Device(settings, identity, {
  state, log, trouble, metric, config,
  survey: (tally) => survey.count(tally),
});

function log(level, text) {
  const line = document.createElement("li");
  const time = document.createElement("time");
  const what = document.createElement("span");
  const now = new Date();
  time.dateTime = now.toISOString();
  time.textContent = now.toTimeString().slice(0, 8);
  what.textContent = clean(text, 300);
  line.className = level;
  line.append(time, what);
  $("log").prepend(line);
  while ($("log").childElementCount > LOG_LINES) $("log").lastElementChild.remove();
}

function state({ state, server, name }) {
  const before = document.body.dataset.state;
  document.body.dataset.state = state;
  const where = name ? clean(name, 40) : server;
  $("state-text").textContent = {
    offline: "not connected", connecting: "connecting", away: "reconnecting", online: `online at ${where}`, moved: `moved to ${where}`,
  }[state];
  $("state").title = server;
  $("home").hidden = state !== "moved";
  if (state === "away") chart.add("rtt", null);
  if (state !== before) describe();
  if (state === "online" || state === "moved") survey.draw();
}

function trouble(what, text) {
  const line = $(what + "-trouble");
  if (text !== "" && line.textContent !== text) log("warn", text);
  line.textContent = text;
  line.hidden = text === "";
}

function metric(m) {
  chart.add("rtt", m.rtt_ms);
  chart.add("rate", m.rate);
  chart.add("sent", m.sent);
  $("rtt").textContent = m.rtt_ms === null ? "–" : short(m.rtt_ms);
  $("rate").textContent = short(m.rate);
  $("sent").textContent = short(m.sent);
}

function config({ config, revision, error }) {
  const color = typeof config.chart_color === "string" && CSS.supports("color", config.chart_color) ? config.chart_color : "";
  chart.color(color);
  $("chart").dataset.color = color;
  const text = JSON.stringify(config, null, 2);
  const same = text === $("config-json").textContent && $("config-revision").textContent.endsWith(` ${revision}`);
  $("config-json").textContent = text;
  $("config-revision").textContent = `revision ${revision}`;
  $("config-revision").hidden = revision === 0;
  survey.ask(config);
  if (error !== "") log("bad", `configuration not applied: ${error}`);
  else if (!same) log("good", revision === 0 ? "no configuration: the defaults are in force" : `configuration ${revision} is in force`);
}

function describe() {
  const f = identity.facts;
  const rows = [
    ["Id", identity.id], ["Model", f.model], ["System", `${f.os.name} ${f.os.version}`.trim()], ["Processor", [f.cpus && `${f.cpus} × `, f.arch].filter(Boolean).join("")],
    ["Memory", f.memory ? `${f.memory / 2 ** 30} GiB` : "unknown"], ["Browser", `${f.browser.name} ${f.browser.version}`.trim()],
    ["Labels", Object.entries(identity.labels).map(([k, v]) => `${k}=${v}`).join(", ")], ["Service", settings.service],
  ];
  $("facts").replaceChildren(...rows.filter(([, v]) => v).flatMap(([k, v]) => {
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = k;
    dd.textContent = v;
    return [dt, dd];
  }));
}

async function vote(question, answer) {
  try {
    log("good", await device.vote(question, answer));
  } catch (err) {
    log("bad", `the answer was not taken: ${err.message}`);
  }
}

/** Signs in and stays; a failure is told in the form. */
async function join(home) {
  $("join-error").hidden = true;
  $("join-button").disabled = true;
  $("join-button").textContent = "Joining …";
  try {
    await device.join(home);
    remember(home);
    log("good", `joined as ${identity.nickname}`);
  } catch (err) {
    $("join-error").textContent = `${home.servers.join(", ")}: ${err.message}`;
    $("join-error").hidden = false;
    log("bad", `joining: ${err.message}`);
  }
  $("join-button").disabled = false;
  $("join-button").textContent = "Join";
}

async function submitted(event) {
  event.preventDefault();
  try {
    const { urls, credentials } = parseServers($("server").value);
    const file = $("creds").files[0];
    const secret = $("secret").value;
    const user = $("user").value;
    let own = credentials;
    if (file) own = { creds: await file.text() };
    else if (user !== "") own = { user, password: secret };
    else if (secret !== "") own = { token: secret };
    $("server").value = urls.join(", ");
    await join({ servers: urls, credentials: own });
  } catch (err) {
    $("join-error").textContent = err.message;
    $("join-error").hidden = false;
  }
}

/** What the address says after #; it is taken out, so that a secret in it is neither seen nor shared. */
function handed() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (location.hash !== "") history.replaceState(null, "", location.pathname + location.search);
  const secret = given.get("token") ?? given.get("password");
  if (secret === null) return { server: given.get("server"), credentials: null };
  const credentials = given.has("user") ? { user: given.get("user"), password: secret } : { token: secret };
  return { server: given.get("server"), credentials };
}

function begin() {
  const given = handed();
  const server = given.server ?? settings.websocket;
  const kept = remembered();
  let urls = [];
  try {
    if (server) urls = parseServers(server).urls;
  } catch (err) {
    log("bad", err.message);
  }
  $("server").value = urls.join(", ");
  if (given.credentials && urls.length > 0) {
    join({ servers: urls, credentials: given.credentials });
  } else if (kept && (!given.server || kept.servers.join() === urls.join())) {
    // What was kept goes only to where it was meant for, whatever a link says.
    $("server").value = kept.servers.join(", ");
    join(kept);
  }
}

$("nickname").value = identity.nickname;
$("nickname").addEventListener("change", () => {
  const name = clean($("nickname").value, 40);
  if (name !== "" && name !== identity.nickname) {
    device.rename(name);
    keepNickname(name);
    log("info", `the nickname is ${name} now`);
  }
  $("nickname").value = identity.nickname;
});
$("name-form").addEventListener("submit", (event) => {
  event.preventDefault();
  $("nickname").blur();
});
$("join-form").addEventListener("submit", submitted);
$("may-move").addEventListener("change", (event) => (device.mayMove = event.target.checked));
$("home").addEventListener("click", () => device.move(null));
$("leave").addEventListener("click", async () => {
  remember(null);
  await device.leave();
  log("info", "left the fleet");
});
const series = { rtt: ["Round trip", "ms"], rate: ["Messages", "per second"], sent: ["Sent", "messages"] };
for (const tile of document.querySelectorAll(".tile")) {
  tile.addEventListener("click", () => {
    for (const t of document.querySelectorAll(".tile")) t.setAttribute("aria-pressed", String(t === tile));
    chart.show(tile.dataset.series, ...series[tile.dataset.series]);
  });
}
chart.show("rtt", ...series.rtt);
survey.ask({});
describe();
begin();
document.body.dataset.ready = "yes";
