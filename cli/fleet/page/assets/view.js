// The survey as a person sees it: a button for each answer, with a bar that is as long as its share.

import { questions, Tally } from "./survey.js";

/** SurveyView keeps the elements and changes only their text and width, so that focus survives every new answer. */
export class SurveyView {
  constructor(root, { id, vote }) {
    Object.assign(this, { root, id, vote });
    this.tally = new Tally();
    this.asked = [];
    this.cards = new Map();
  }

  /** Asks what a configuration says. */
  ask(config) {
    this.asked = questions(config);
    this.draw();
  }

  count(tally) {
    this.tally = tally;
    this.soon();
  }

  /** Draws once for all answers that come before the next frame. */
  soon() {
    if (this.due) return;
    this.due = true;
    setTimeout(() => {
      this.due = false;
      this.draw();
    }, 50);
  }

  draw() {
    const all = [...this.asked];
    for (const question of this.tally.counts.keys()) {
      if (!all.some((q) => q.question === question)) all.push({ question, title: question, answers: [] });
    }
    const cards = all.map((q) => this.card(q));
    for (const [question, card] of this.cards) {
      if (!all.some((q) => q.question === question)) {
        card.box.remove();
        this.cards.delete(question);
      }
    }
    cards.forEach((card, i) => {
      if (this.root.children[i] !== card.box) this.root.insertBefore(card.box, this.root.children[i] ?? null);
    });
  }

  card(q) {
    let card = this.cards.get(q.question);
    if (!card) {
      card = { box: element("div", "question"), head: element("h3"), title: element("span"), total: element("span"), answers: new Map() };
      card.title = document.createTextNode("");
      card.head.append(card.total, card.title);
      card.box.append(card.head);
      card.box.dataset.question = q.question;
      this.cards.set(q.question, card);
    }
    const counts = this.tally.of(q.question, q.answers);
    const total = counts.reduce((n, [, c]) => n + c, 0);
    set(card.title, q.title);
    set(card.total, total === 1 ? "1 answer" : `${total} answers`);
    const mine = this.tally.answer(q.question, this.id);
    for (const [answer, row] of card.answers) {
      if (!counts.some(([a]) => a === answer)) {
        row.button.remove();
        card.answers.delete(answer);
      }
    }
    counts.forEach(([answer, n], i) => {
      const row = this.row(card, q.question, answer);
      const share = total === 0 ? 0 : n / total;
      set(row.count, total === 0 ? "" : n === 0 ? "0" : `${n} · ${Math.round(share * 100)} %`);
      row.button.style.setProperty("--share", String(share));
      row.button.dataset.count = String(n);
      row.button.setAttribute("aria-pressed", String(answer === mine));
      if (card.box.children[i + 1] !== row.button) card.box.insertBefore(row.button, card.box.children[i + 1] ?? null);
    });
    return card;
  }

  row(card, question, answer) {
    let row = card.answers.get(answer);
    if (!row) {
      row = { button: element("button", "answer"), text: element("span"), count: element("span") };
      row.button.type = "button";
      row.button.dataset.answer = answer;
      row.text.textContent = answer;
      row.button.append(row.text, row.count);
      row.button.addEventListener("click", () => this.vote(question, answer));
      card.answers.set(answer, row);
    }
    return row;
  }
}

function element(name, className = "") {
  const e = document.createElement(name);
  if (className) e.className = className;
  return e;
}

function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
