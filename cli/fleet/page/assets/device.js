// A device of the fleet: a connection, a micro service, metrics, configuration; and moves from server to server.

import { connect, credsAuthenticator } from "./nats.js";
import { ConfigFollower } from "./config.js";
import { SurveyFollower, vote } from "./survey.js";
import { clean, parseServers, subset, token } from "./rules.js";

const SECOND = 1000;
const AWAY_ATTEMPTS = 12; // to reach a server that the device was moved to, before it goes home

/**
 * Device tells what happens by calling on.state({state, server}), on.log(level, text), on.metric(metric), on.config(applied),
 * on.survey(tally), on.trouble(what, text). States: offline, connecting, online, away (the connection is lost), moved.
 */
export class Device {
  /** identity is {id, nickname, labels, version, facts}; settings those of settings.json. */
  constructor(settings, identity, on) {
    this.settings = settings;
    this.identity = identity;
    this.on = on;
    this.started = new Date();
    this.seq = 0;
    this.applied = { config: {}, keys: {}, revision: 0, error: "" };
    this.mayMove = true;
    this.home = null;
    this.session = null;
    this.queue = Promise.resolve();
  }

  /** Joins the fleet at home = {servers, credentials}; fails when the server cannot be reached or refuses. */
  async join(home) {
    this.home = { ...home, name: home.servers.map(shown).join(", ") };
    this.on.state({ state: "connecting", server: this.home.name });
    try {
      const nc = await this.dial(this.home, true);
      this.begin(nc, this.home);
    } catch (err) {
      this.home = null;
      this.on.state({ state: "offline", server: "" });
      throw explained(err);
    }
  }

  /** Leaves the fleet for good. */
  async leave() {
    this.home = null;
    const session = this.session;
    this.session = null;
    await session?.end();
    this.on.state({ state: "offline", server: "" });
  }

  /** Moves to a server, or with null back home. Moves are made one after the other. */
  move(place) {
    this.queue = this.queue.then(() => this.moveNow(place)).catch((err) => this.on.log("bad", "moving: " + explained(err).message));
    return this.queue;
  }

  async moveNow(place) {
    const home = this.home;
    if (home === null) return;
    const target = place ?? home;
    if (this.session && this.session.place.name === target.name) return;
    this.on.log("info", place ? `moving to ${target.name}` : `moving back to ${target.name}`);
    let nc;
    try {
      nc = await this.dial(target, target === home);
    } catch (err) {
      this.on.log("bad", `${target.name}: ${explained(err).message}; staying at ${this.session?.place.name ?? "nowhere"}`);
      return;
    }
    if (this.home !== home) {
      nc.close();
      return;
    }
    const before = this.session;
    this.begin(nc, target);
    await before?.end();
  }

  /** The place that a URL names, as an order to move says it; an empty one is home. Refuses what must not be done. */
  place(text) {
    if (!this.mayMove) throw new Error("the person at this device does not let it be moved");
    if (text === "") return null;
    const { urls, credentials } = parseServers(text);
    const plain = urls.some((u) => u.startsWith("ws:"));
    const home = this.home;
    if (!credentials && home.credentials && plain && home.servers.every((u) => u.startsWith("wss:"))) {
      throw new Error("credentials that came over TLS are not sent without it");
    }
    return { servers: urls, credentials: credentials ?? home.credentials, name: urls.map(shown).join(", ") };
  }

  dial(place, patient) {
    return connect({
      servers: place.servers,
      name: `${this.identity.nickname} (${this.identity.id})`,
      ...signature(place.credentials),
      timeout: 5 * SECOND,
      pingInterval: 15 * SECOND,
      maxReconnectAttempts: patient ? -1 : AWAY_ATTEMPTS,
      reconnectTimeWait: SECOND,
      // A credential that is revoked may be restored.
      ignoreAuthErrorAbort: true,
    });
  }

  begin(nc, place) {
    const session = new Session(this, nc, place);
    this.session = session;
    session.start();
    nc.closed().then((err) => {
      if (this.session !== session) return;
      this.on.log("bad", `${place.name} is gone${err ? ": " + explained(err).message : ""}`);
      this.session = null;
      session.stop();
      this.goHome();
    });
  }

  /** Tries to be home again until it is. */
  async goHome() {
    const home = this.home;
    for (let wait = SECOND; home !== null && this.home === home && this.session === null; wait = Math.min(wait * 1.5, 10 * SECOND)) {
      this.on.state({ state: "connecting", server: home.name });
      await this.move(null);
      if (this.session === null) await new Promise((r) => setTimeout(r, wait));
    }
  }

  rename(nickname) {
    this.identity.nickname = nickname;
  }

  vote(question, answer) {
    if (!this.session) return Promise.reject(new Error("not connected"));
    return vote(this.session.nc, this.settings.survey, question, answer, this.identity.id);
  }
}

/** Session is one connection and what hangs on it. */
class Session {
  constructor(device, nc, place) {
    Object.assign(this, { device, nc, place });
    this.online = true;
    this.before = { in: 0, out: 0 };
    const { settings, identity, on } = device;
    const here = (f) => (...args) => device.session === this && f(...args);
    this.config = new ConfigFollower(nc, settings.bucket, identity.id, {
      apply: here((applied) => {
        device.applied = applied;
        on.config(applied);
      }),
      trouble: here((text) => on.trouble("config", text)),
    });
    this.survey = new SurveyFollower(nc, settings.survey, {
      changed: here((tally) => on.survey(tally)),
      trouble: here((text) => on.trouble("survey", text)),
    });
  }

  start() {
    this.events();
    this.serving = this.serve().catch((err) => this.device.on.log("bad", `service ${this.device.settings.service}: ${err.message}`));
    this.arrived();
    this.timer = setInterval(() => this.tick(), SECOND);
    this.tick();
  }

  arrived() {
    this.online = true;
    const moved = this.place.name !== this.device.home?.name;
    this.device.on.state({ state: moved ? "moved" : "online", server: this.place.name, name: this.nc.info?.server_name ?? "" });
    this.config.start();
    this.survey.start();
  }

  stop() {
    clearInterval(this.timer);
    this.config.stop();
    this.survey.stop();
  }

  /** Ends the connection with what was sent on it delivered. */
  async end() {
    this.stop();
    const late = new Promise((r) => setTimeout(r, 2 * SECOND));
    await Promise.race([this.nc.drain().catch(() => {}), late]);
    await this.nc.close().catch(() => {});
  }

  async events() {
    const { on } = this.device;
    for await (const s of this.nc.status()) {
      if (this.device.session !== this) return;
      if (s.type === "disconnect") {
        this.online = false;
        on.state({ state: "away", server: this.place.name });
        on.log("warn", `connection to ${this.place.name} is lost`);
      } else if (s.type === "reconnect") {
        on.log("good", `back at ${this.nc.info?.server_name ?? this.place.name}`);
        this.arrived();
      } else if (s.type === "error") {
        on.log("bad", `the server says: ${clean(s.permissionContext ? `no permission for ${s.permissionContext.operation} on ${s.permissionContext.subject}` : s.data, 160)}`);
      }
    }
  }

  async serve() {
    const { settings, identity, on } = this.device;
    const name = settings.service;
    const service = await this.nc.services.add({
      name, version: "1.0.0", description: "A browser as a device of the fleet", queue: "q",
      metadata: { id: identity.id, kind: "browser" },
    });
    this.service = service;
    const own = service.info().id;
    const add = (endpoint, queue, answer, subject = `${name}.${endpoint}`) =>
      service.addEndpoint(endpoint, { subject, queue, handler: (err, m) => err === null && this.answer(m, endpoint, answer) });
    add("device_info", own, (m) => {
      const text = m.string().trim();
      const info = this.info();
      const wanted = text === "" || subset(parsed(text), info);
      on.log("info", `asked who this is${wanted ? "" : ", but another is meant"}`);
      return wanted ? info : undefined;
    });
    add("nickname", "q", () => {
      on.log("info", "asked for the nickname");
      return identity.nickname;
    });
    const move = (text) => {
      const place = this.device.place(text);
      const to = place ?? this.device.home;
      // The answer has to leave before the connection does.
      this.nc.flush().then(() => this.device.move(place), () => {});
      return { id: identity.id, ok: true, server: to.name };
    };
    add("advertise", own, (m) => move(m.string().trim()));
    add("control", own, (m) => {
      const order = parsed(m.string());
      if (typeof order?.move === "string") return move(order.move.trim());
      throw new Error("a browser runs no commands");
    }, `${name}.control.${identity.id}`);
    await this.nc.flush();
    on.log("good", `service ${name} answers at ${this.nc.info.server_name}`);
  }

  /** Sends what answer returns: a text as it is, else JSON, nothing for undefined. Errors go as the protocol of services says. */
  answer(m, endpoint, answer) {
    let out;
    try {
      out = answer(m);
    } catch (err) {
      this.device.on.log("warn", `${endpoint}: ${err.message}`);
      m.respondError(400, clean(err.message, 200), JSON.stringify({ id: this.device.identity.id, ok: false, error: err.message }));
      return;
    }
    if (out !== undefined) m.respond(typeof out === "string" ? out : JSON.stringify(out));
  }

  info() {
    const { identity, started } = this.device;
    const { server_name: server = "", cluster = "", domain = "" } = this.nc.info ?? {};
    return {
      id: identity.id, instance: this.service?.info().id ?? "", nickname: identity.nickname,
      ...identity.facts, labels: identity.labels, version: identity.version, server, cluster, domain, started: started.toISOString(),
    };
  }

  /** Once a second: measures the round trip and publishes the metric. What cannot be sent now is not sent later. */
  async tick() {
    if (!this.online || this.ticking) return;
    this.ticking = true;
    const late = new Promise((r) => setTimeout(r, 5 * SECOND, null));
    const began = performance.now();
    const rtt = await Promise.race([this.nc.flush().then(() => performance.now() - began, () => null), late]);
    this.ticking = false;
    if (!this.online || this.device.session !== this) return;
    const { device } = this;
    const stats = this.nc.stats();
    const metric = {
      seq: ++device.seq, time: new Date().toISOString(), nickname: device.identity.nickname, device: this.info(),
      load: 0, mem_used: globalThis.performance?.memory?.usedJSHeapSize ?? 0, rtt_ms: rtt ?? 0,
      sent: stats.outMsgs, received: stats.inMsgs, uptime_s: (Date.now() - device.started) / SECOND, config_rev: device.applied.revision,
    };
    try {
      this.nc.publish(`${device.settings.metrics}.${token(metric.device.server)}.${token(String(this.nc.info.client_id))}`, JSON.stringify(metric));
    } catch (err) {
      device.on.log("bad", "metrics: " + err.message);
      return;
    }
    const rate = stats.inMsgs + stats.outMsgs - this.before.in - this.before.out;
    this.before = { in: stats.inMsgs, out: stats.outMsgs };
    device.on.metric({ ...metric, rtt_ms: rtt, rate });
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("the request is no JSON");
  }
}

function signature(credentials) {
  if (!credentials) return {};
  if (credentials.creds) return { authenticator: credsAuthenticator(new TextEncoder().encode(credentials.creds)) };
  if (credentials.user) return { user: credentials.user, pass: credentials.password };
  return { token: credentials.token };
}

function shown(url) {
  return url.replace(/\?.*$/, "");
}

/** An error in words for the person at the device. */
function explained(err) {
  const by = {
    AUTHORIZATION_VIOLATION: "the server does not accept these credentials",
    AUTHENTICATION_EXPIRED: "the credentials have expired",
    CONNECTION_REFUSED: "nobody answers there",
    TIMEOUT: "no answer in time",
    UNKNOWN: "nobody answers there with websockets",
  };
  return new Error(by[err?.code] ?? clean(err?.message || String(err), 200));
}
