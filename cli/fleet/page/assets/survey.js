// The live survey: answers are messages on SURVEY.QUESTION, counted from the history of the stream and as they come.

import { headers, nuid } from "./nats.js";
import { clean, isObject } from "./rules.js";
import { gone } from "./stream.js";

const RETRY = 5000; // milliseconds until a stream that is not there is looked for again
const MOST_QUESTIONS = 30;
const MOST_ANSWERS = 20;
const OTHERS = "others";
const VOTER = "Device"; // header with the id of the device that answers

/** What is asked when the configuration asks nothing. */
export const ASKED = [{ question: "mood", title: "How is it going?", answers: ["great", "fine", "lost"] }];

/** The questions of a configuration: {"survey":[{"question":"mood","title":"How is it going?","answers":["great","lost"]}]}. */
export function questions(config) {
  const list = Array.isArray(config?.survey) ? config.survey.filter(isObject) : [];
  const good = list
    .filter((q) => /^[A-Za-z0-9_-]{1,64}$/.test(q.question) && Array.isArray(q.answers))
    .map((q) => ({
      question: q.question,
      title: clean(q.title ?? q.question, 120),
      answers: [...new Set(q.answers.map((a) => clean(a, 60)).filter(Boolean))].slice(0, MOST_ANSWERS),
    }));
  return good.length > 0 ? good.slice(0, MOST_QUESTIONS) : ASKED;
}

/** Tally counts answers. Of a device that says who it is only the last answer to a question counts. */
export class Tally {
  constructor() {
    this.counts = new Map(); // question → answer → number
    this.voters = new Map(); // question → device → answer
  }

  add(question, text, voter) {
    question = clean(question, 64);
    let counts = this.counts.get(question);
    if (!counts) {
      if (this.counts.size >= MOST_QUESTIONS) return;
      this.counts.set(question, (counts = new Map()));
      this.voters.set(question, new Map());
    }
    let answer = clean(text, 60);
    if (answer === "") return;
    if (!counts.has(answer) && counts.size >= MOST_ANSWERS) answer = OTHERS;
    if (voter) {
      const voters = this.voters.get(question);
      const before = voters.get(voter);
      if (before !== undefined) counts.set(before, counts.get(before) - 1);
      voters.set(voter, answer);
    }
    counts.set(answer, (counts.get(answer) ?? 0) + 1);
  }

  /** The counts of one question: [answer, number] in the order of the given answers, then by number. */
  of(question, answers) {
    const counts = this.counts.get(question) ?? new Map();
    const others = [...counts].filter(([a, n]) => n > 0 && !answers.includes(a)).sort((a, b) => b[1] - a[1]);
    return [...answers.map((a) => [a, counts.get(a) ?? 0]), ...others];
  }

  /** What the device has answered. */
  answer(question, voter) {
    return this.voters.get(question)?.get(voter);
  }
}

/** Follows the answers on one connection until stop is called. changed is told of every new tally, trouble as in ConfigFollower. */
export class SurveyFollower {
  constructor(nc, name, { changed, trouble }) {
    Object.assign(this, { nc, name, changed, trouble });
    this.round = 0;
    this.tally = new Tally();
  }

  /** Begins, or begins anew, from the first message of the stream. */
  start() {
    const round = ++this.round;
    this.drop();
    this.follow(round);
  }

  stop() {
    this.round++;
    this.drop();
  }

  drop() {
    clearTimeout(this.timer);
    this.messages?.stop();
    this.messages = undefined;
    this.live?.unsubscribe();
    this.live = undefined;
  }

  async follow(round) {
    const current = () => round === this.round;
    clearTimeout(this.timer);
    let why = "";
    try {
      const consumer = await this.nc.jetstream().consumers.get(this.name, { filterSubjects: [`${this.name}.>`] });
      const messages = await consumer.consume();
      if (!current()) {
        messages.stop();
        return;
      }
      this.drop();
      this.messages = messages;
      this.begin("");
      gone(this.nc, this.name, current).then(() => current() && this.start());
      for await (const m of messages) {
        if (!current()) return;
        this.count(m);
      }
      why = "the stream has ended";
    } catch (err) {
      why = err?.code === "503" ? "no JetStream on this server" : `no stream ${this.name} on this server`;
    }
    if (!current()) return;
    this.messages = undefined;
    if (!this.live) {
      // Without a history there is still what is said from now on.
      this.begin(why + ": only what is said now is counted");
      this.live = this.nc.subscribe(`${this.name}.>`, { callback: (err, m) => err === null && this.count(m) });
    }
    this.timer = setTimeout(() => current() && this.follow(round), RETRY);
  }

  begin(trouble) {
    this.tally = new Tally();
    this.trouble(trouble);
    this.changed(this.tally);
  }

  count(m) {
    this.tally.add(m.subject.slice(this.name.length + 1), m.string(), m.headers?.get(VOTER));
    this.changed(this.tally);
  }
}

/** Publishes an answer; resolves to the text that tells what became of it. */
export async function vote(nc, name, question, answer, voter) {
  const h = headers();
  h.set(VOTER, voter);
  h.set("Nats-Msg-Id", nuid.next());
  const subject = `${name}.${question}`;
  try {
    const ack = (await nc.request(subject, answer, { headers: h, timeout: 4000 })).json();
    if (ack.error) throw new Error(ack.error.description);
    return `${subject}: ${answer} is stored in ${clean(ack.stream, 64)} as number ${ack.seq}`;
  } catch (err) {
    // The request is a message like any other: those who listen have it, stored or not.
    if (err?.code === "503") return `${subject}: ${answer} was said, and no stream keeps it`;
    throw err;
  }
}
