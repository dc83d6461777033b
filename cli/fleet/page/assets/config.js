// Configuration of the fleet: a bucket whose keys "all" and "device.ID" are merged, the device's own last.

import { isObject, mergePatch } from "./rules.js";

const RETRY = 3000; // milliseconds until a bucket that is not there is looked for again

/**
 * Follows the configuration on one connection until stop is called. apply is called with {config, keys, revision} for every
 * change, trouble with a text when there is nothing to follow and with "" when there is again.
 */
export class ConfigFollower {
  constructor(nc, bucket, id, { apply, trouble }) {
    Object.assign(this, { nc, bucket, id, apply, trouble });
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
      const watcher = await kv.watch({ key: ["all", `device.${this.id}`], initializedFn: done });
      if (!current()) {
        watcher.stop();
        return;
      }
      this.watcher = watcher;
      this.trouble("");
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
    let config = {};
    let revision = 0;
    const keys = {};
    const bad = [];
    for (const key of ["all", `device.${this.id}`]) {
      const v = values.get(key);
      if (v === undefined) continue;
      if (!isObject(v.value)) {
        bad.push(key);
        continue;
      }
      config = mergePatch(config, v.value);
      keys[key] = v.revision;
      revision = Math.max(revision, v.revision);
    }
    this.apply({ config, keys, revision, error: bad.length ? `${bad.join(" and ")}: no JSON object` : "" });
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
  if (err?.api_error?.err_code === 10059 || /stream not found/.test(err?.message)) return `no bucket ${bucket} on this server`;
  if (err?.code === "503") return "no JetStream on this server";
  return `bucket ${bucket}: ${err?.message ?? err}`;
}
