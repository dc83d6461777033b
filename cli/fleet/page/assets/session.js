// One connection: the service that answers on it, the metrics, and what follows configuration and survey.

import { ConfigFollower, Reporter } from "./config.js";
import { matches } from "./expression.js";
import { clean, isObject, subset, token } from "./rules.js";
import { SurveyFollower } from "./survey.js";

const SECOND = 1000;

/** Session is one connection of a device and what hangs on it. A move makes another. */
export class Session {
  constructor(device, nc, place) {
    Object.assign(this, { device, nc, place });
    this.online = true;
    this.before = { in: 0, out: 0 };
    const { settings, identity, on } = device;
    const here = (f) => (...args) => device.session === this && f(...args);
    this.trouble = "";
    this.reporter = new Reporter(nc, settings.service, identity.id, () => ({ info: this.info(), applied: device.applied }));
    this.known = new Promise((resolve) => (this.learned = resolve));
    this.config = new ConfigFollower(nc, settings.bucket, identity.id, {
      info: () => this.info(),
      apply: here((applied) => this.apply(applied)),
      trouble: here((text) => {
        this.trouble = text && `no configuration: ${text}`;
        this.learned();
        on.trouble("config", text);
        this.reporter.soon();
      }),
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
    this.reporter.soon();
  }

  /** What is missing where the device is now; empty for nothing. It waits a little until that is known. */
  async lacks() {
    const late = new Promise((r) => setTimeout(r, 3 * SECOND));
    await Promise.race([Promise.all([this.known, this.serving]), late]);
    return this.trouble;
  }

  /** Puts a configuration into force; one with an error changes nothing but is told. */
  apply(applied) {
    const { device } = this;
    device.applied = applied.error === "" ? applied : { ...device.applied, error: applied.error, time: applied.time };
    device.on.config(device.applied);
    this.reporter.soon();
  }

  /** Answers no more. */
  retire() {
    this.service?.stop();
  }

  stop() {
    if (this.stopped) return;
    this.stopped = true;
    const { base } = this.device;
    const { inMsgs, outMsgs } = this.nc.stats();
    this.device.base = { in: base.in + inMsgs, out: base.out + outMsgs };
    clearInterval(this.timer);
    this.config.stop();
    this.survey.stop();
    this.reporter.stop();
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
      metadata: { device: identity.id, nickname: identity.nickname, kind: "browser" },
    });
    this.service = service;
    const own = service.info().id;
    const add = (endpoint, queue, answer, subject = `${name}.${endpoint}`) =>
      service.addEndpoint(endpoint, { subject, queue, handler: (err, m) => err === null && this.answer(m, endpoint, answer) });
    add("device_info", own, (m) => this.tellInfo(m));
    add("nickname", "q", () => {
      on.log("info", "asked for the nickname");
      return identity.nickname;
    });
    add("advertise", own, (m) => this.obey(m, m.string().trim()));
    add("query", own, (m) => this.query(m));
    add("control", own, (m) => {
      const order = parsed(m.string());
      if (typeof order?.move === "string" && !order.cancel) return this.obey(m, order.move.trim());
      return { id: identity.id, ok: false, error: "a browser takes no commands" };
    }, `${name}.control.${identity.id}`);
    await this.nc.flush();
    on.log("good", `service ${name} answers at ${this.nc.info.server_name}`);
  }

  tellInfo(m) {
    const text = m.string().trim();
    const filter = text === "" ? {} : parsed(text);
    if (!isObject(filter)) throw new Error("the filter is no JSON object");
    const info = this.info();
    const wanted = subset(filter, info);
    this.device.on.log("info", wanted ? "asked who this is" : "asked who is another");
    return wanted ? info : undefined;
  }

  /** Everybody answers a query, so that silence means something. */
  query(m) {
    const text = m.string().trim();
    const info = this.info();
    const answer = { id: info.id, match: false };
    try {
      answer.match = matches((text === "" ? {} : parsed(text)).expr ?? "", info);
      if (answer.match) answer.info = info;
    } catch (err) {
      answer.error = err.message;
    }
    this.device.on.log("info", `asked by a query${answer.match ? "" : ", which does not select this device"}`);
    return answer;
  }

  /** Moves as it is told, and answers on this connection when that is done. */
  obey(m, text) {
    const { device } = this;
    const tell = (outcome) => m.respond(JSON.stringify(outcome));
    try {
      device.move(device.place(text), tell).catch(() => {});
    } catch (err) {
      device.on.log("warn", `not moved: ${err.message}`);
      return { id: device.identity.id, ok: false, server: this.place.name, error: err.message };
    }
    return undefined;
  }

  /** Sends what answer returns: a text as it is, else JSON, nothing for undefined. Errors go as the protocol of services says. */
  answer(m, endpoint, answer) {
    let out;
    try {
      out = answer(m);
    } catch (err) {
      this.device.on.log("warn", `${endpoint}: ${err.message}`);
      m.respondError(400, clean(err.message, 200));
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
      ...(this.trouble && { trouble: this.trouble }),
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
      sent: device.base.out + stats.outMsgs, received: device.base.in + stats.inMsgs, uptime_s: (Date.now() - device.started) / SECOND, config_rev: device.applied.revision,
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
