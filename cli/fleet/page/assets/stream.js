// Streams that go away. Those who follow a stream that was deleted, or made anew, are not told by it.

const RECHECK = 10000; // milliseconds

/** Resolves when the stream is gone, is another one of the same name, or nobody wants to know any more: wanted() is false. */
export async function gone(nc, stream, wanted) {
  let first;
  while (wanted()) {
    try {
      const jsm = await nc.jetstreamManager({ checkAPI: false });
      const { created } = await jsm.streams.info(stream);
      first ??= created;
      if (created !== first) return;
    } catch (err) {
      if (missing(err)) return;
      // A server that does not answer now may do so later.
    }
    await new Promise((r) => setTimeout(r, RECHECK));
  }
}

/** Whether an error says that there is no such stream. */
export function missing(err) {
  return err?.api_error?.err_code === 10059 || /stream not found/.test(err?.message);
}
