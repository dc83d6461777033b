// Configuration of the fleet: a bucket whose keys "all", "where.NAME" of rules that select the device, and "device.ID" are merged
// in this order. What became of it is told in the bucket of states.

import { matches } from "./expression.js";
import { isObject, mergePatch } from "./rules.js";
import { gone, missing } from "./stream.js";

const RETRY = 3000; // milliseconds until a bucket that is not there is looked for again
const AGAIN = 30000; // milliseconds until the state that could not be told is told again

/**
 * Follows the configuration on one connection until stop is called. apply is called with {config, keys, revision, time, error}
 * for every change, trouble with a text when there is nothing to follow and with "" when there is again. info() is who the device is.
 */
export class ConfigFollower {
  constructor(nc, bucket, id, { info, apply, trouble }) {
    Object.assign(this, { nc, bucket, id, info, apply, trouble });
    this.values = new Map();
    this.round = 0;
  }

  /** Begins, or begins anew: after a reconnect what the server pushed to is gone. */
  start() {
    const round = ++this.round;
    this.watcher?.stop();
    this.watcher = undefined;
    this.follow(round);
  }

  stop() {
    this.round++;
    this.watcher?.stop();
    clearTimeout(this.timer);
  }

  async follow(round) {
    const current = () => round === this.round;
    clearTimeout(this.timer);
    let why = "";
    try {
      const kv = await this.nc.jetstream().views.kv(this.bucket, { bindOnly: true });
      const values = new Map();
      let whole = false;
      const done = () => {
        whole = true;
        if (current()) this.changed(values);
      };
      const watcher = await kv.watch({ key: ["all", "where.>", `device.${this.id}`], initializedFn: done });
      if (!current()) {
        watcher.stop();
        return;
      }
      this.watcher = watcher;
      this.trouble("");
      gone(this.nc, `KV_${this.bucket}`, current).then(() => current() && this.start());
      for await (const e of watcher) {
        if (!current()) return;
        take(values, e);
        if (whole) this.changed(values);
      }
      why = "the watch has ended";
    } catch (err) {
      why = reason(err, this.bucket);
    }
    if (!current()) return;
    this.trouble(why);
    this.timer = setTimeout(() => current() && this.follow(round), RETRY);
  }

  changed(values) {
    const applied = { config: {}, keys: {}, revision: 0, time: new Date().toISOString(), error: "" };
    for (const key of this.order(values)) {
      const { value, revision } = values.get(key);
      try {
        if (!isObject(value)) throw new Error("it is no JSON object");
        let patch = value;
        if (key.startsWith("where.")) {
          if (!matches(value.where ?? "", this.info())) continue;
          patch = value.config;
          if (!isObject(patch)) throw new Error("its config is no JSON object");
        }
        applied.config = mergePatch(applied.config, patch);
      } catch (err) {
        applied.error = `key ${key}: ${err.message}`;
        break;
      }
      applied.keys[key] = revision;
      applied.revision = Math.max(applied.revision, revision);
    }
    this.apply(applied);
  }

  /** The keys there are, in the order in which they are laid over each other. */
  order(values) {
    const rules = [...values.keys()].filter((k) => k.startsWith("where.")).sort();
    return ["all", ...rules, `device.${this.id}`].filter((k) => values.has(k));
  }
}

function take(values, entry) {
  if (entry.operation !== "PUT") {
    values.delete(entry.key);
    return;
  }
  let value;
  try {
    value = JSON.parse(entry.string());
  } catch {
    value = undefined; // told by changed: a value that is no object
  }
  values.set(entry.key, { value, revision: entry.revision });
}

function reason(err, bucket) {
  if (missing(err)) return `no bucket ${bucket} on this server`;
  if (err?.code === "503") return "no JetStream on this server";
  return `bucket ${bucket}: ${err?.message ?? err}`;
}

/** Reporter tells who the device is and what it has applied, in the bucket SERVICE_state, where there is one. */
export class Reporter {
  constructor(nc, service, id, state) {
    Object.assign(this, { nc, service, id, state });
    this.told = new Map();
  }

  /** Tells what has changed, once for all that changes at the same time. */
  soon(wait = 250) {
    clearTimeout(this.timer);
    if (this.stopped) return;
    this.timer = setTimeout(() => this.tell(), wait);
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  async tell() {
    try {
      const kv = await this.nc.jetstream().views.kv(`${this.service}_state`, { bindOnly: true });
      await kv.status(); // a bucket that is not there is told from one that is slow
      const { info, applied } = this.state();
      await this.put(kv, `device.${this.id}`, info);
      if (applied.time !== null) {
        const { config, keys, revision, time, error } = applied;
        const empty = Object.keys(keys).length === 0;
        await this.put(kv, `config.${this.id}`, { id: this.id, revision, keys, config: empty ? null : config, time, ...(error && { error }) });
      }
    } catch {
      // Not every fleet keeps states; the bucket may come.
      this.soon(AGAIN);
    }
  }

  async put(kv, key, value) {
    const text = JSON.stringify(value);
    if (this.told.get(key) === text) return;
    await kv.put(key, text);
    this.told.set(key, text);
  }
}
