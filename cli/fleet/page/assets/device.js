// A device of the fleet: a connection, a micro service, metrics, configuration; and moves from server to server.

import { connect, credsAuthenticator } from "./nats.js";
import { clean, parseServers } from "./rules.js";
import { Session } from "./session.js";
import { vote } from "./survey.js";

const SECOND = 1000;
const AWAY_ATTEMPTS = 5; // to reach a server that the device was moved to, before it goes home

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
    this.base = { in: 0, out: 0 }; // messages of the connections before
    this.applied = { config: {}, keys: {}, revision: 0, time: null, error: "" };
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

  /**
   * Moves to a server, or with null back home. Moves are made one after the other. The outcome is {id, ok, server, error, warning};
   * tell gets it while the connection before is still there.
   */
  move(place, tell = () => {}) {
    const done = this.queue.then(() => this.moveNow(place, tell));
    this.queue = done.catch((err) => this.on.log("bad", "moving: " + explained(err).message));
    return done;
  }

  async moveNow(place, tell) {
    const home = this.home;
    const outcome = { id: this.identity.id, ok: false, server: this.session?.place.name ?? "" };
    const end = (more) => {
      Object.assign(outcome, more);
      tell(outcome);
      return outcome;
    };
    if (home === null) return end({ error: "the device has left the fleet" });
    const target = place ?? home;
    if (this.session && this.session.place.name === target.name) return end({ ok: true });
    this.on.log("info", place ? `moving to ${target.name}` : `moving back to ${target.name}`);
    let nc;
    try {
      nc = await this.dial(target, target === home);
    } catch (err) {
      const error = explained(err).message;
      this.on.log("bad", `${target.name}: ${error}; staying at ${outcome.server || "nowhere"}`);
      return end({ error: `${target.name}: ${error}` });
    }
    if (this.home !== home) {
      nc.close();
      return end({ error: "the device has left the fleet" });
    }
    const before = this.session;
    // Both would answer the same requests: the old service goes first.
    before?.retire();
    const session = this.begin(nc, target);
    const warning = await session.lacks();
    end({ ok: true, server: target.name, ...(warning && { warning }) });
    await before?.end();
    return outcome;
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
    return session;
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
    this.session?.reporter.soon();
  }

  vote(question, answer) {
    if (!this.session) return Promise.reject(new Error("not connected"));
    return vote(this.session.nc, this.settings.survey, question, answer, this.identity.id);
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
    UNKNOWN_ERROR: "nobody answers there with websockets",
    CONNECTION_TIMEOUT: "no answer in time",
  };
  return new Error(by[err?.code] ?? clean(err?.message || String(err), 200));
}
