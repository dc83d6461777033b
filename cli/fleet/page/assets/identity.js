// Who this device is: an id that survives visits, and a nickname that its owner may change.

const ADJECTIVES = ["amber", "brave", "calm", "clever", "coral", "dusty", "early", "gentle", "golden", "happy", "jolly", "lively", "lucky",
  "mellow", "misty", "noble", "quick", "quiet", "rapid", "silver", "sunny", "swift", "tidy", "vivid", "warm", "wise"];
const ANIMALS = ["badger", "beaver", "crane", "dolphin", "falcon", "finch", "fox", "gecko", "heron", "ibex", "koala", "lark", "lynx", "marten",
  "moose", "otter", "owl", "panda", "puffin", "raven", "robin", "seal", "stork", "swan", "tapir", "wren"];

/** Storage that does nothing where the browser allows none. */
function kept(store, key, value) {
  try {
    if (value === undefined) return store().getItem(key);
    if (value === null) store().removeItem(key);
    else store().setItem(key, value);
  } catch {
    // Private windows may forbid it: then the device is another at each visit.
  }
  return null;
}

const local = () => localStorage;
const session = () => sessionStorage;

function random(n) {
  const bytes = crypto.getRandomValues(new Uint8Array(n));
  const letters = "abcdefghijkmnpqrstuvwxyz23456789";
  return [...bytes].map((b) => letters[b % letters.length]).join("");
}

function pick(list) {
  return list[crypto.getRandomValues(new Uint32Array(1))[0] % list.length];
}

/** The id of this device. A second tab of the same browser is a device of its own. */
export async function deviceID() {
  let id = kept(session, "device.id");
  if (!id) {
    id = kept(local, "device.id") ?? "web-" + random(10);
    kept(local, "device.id", id);
    if (!(await owned(id))) id = "web-" + random(10);
    kept(session, "device.id", id);
    return id;
  }
  // A duplicated tab inherits the session of its original.
  if (!(await owned(id))) {
    id = "web-" + random(10);
    kept(session, "device.id", id);
    await owned(id);
  }
  return id;
}

/**
 * Takes the id for this tab until it is closed; false when another tab has it. Without locks everybody gets it.
 * It waits a moment: after a reload the lock of the page before may not be free yet.
 */
function owned(id) {
  if (!navigator.locks) return Promise.resolve(true);
  const wait = new AbortController();
  const timer = setTimeout(() => wait.abort(), 500);
  return new Promise((resolve) => {
    navigator.locks.request("device " + id, { signal: wait.signal }, () => {
      clearTimeout(timer);
      resolve(true);
      return new Promise(() => {});
    }).catch(() => resolve(!wait.signal.aborted));
  });
}

/** The nickname, made up at the first visit. */
export function nickname() {
  let name = kept(local, "device.nickname");
  if (!name) {
    name = `${pick(ADJECTIVES)}-${pick(ANIMALS)}-${random(2)}`;
    kept(local, "device.nickname", name);
  }
  return name;
}

/** Keeps a nickname for the next visit. */
export function keepNickname(name) {
  kept(local, "device.nickname", name);
}

/** What the person signed in with, for a reload of this tab: {server, credentials}, or null. It ends with the tab. */
export function remembered() {
  try {
    return JSON.parse(kept(session, "device.home") ?? "null");
  } catch {
    return null;
  }
}

/** Remembers, or with null forgets, what the person signed in with. */
export function remember(home) {
  kept(session, "device.home", home === null ? null : JSON.stringify(home));
}
