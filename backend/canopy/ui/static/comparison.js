// Two responses to one text, side by side, and the question which is better. Nothing here knows the prompts before
// the vote.

import { Answer } from "./answer.js";
import { Ballot } from "./ballot.js";
import { announce, fromTemplate, offerAgain, show, showFailure } from "./browser.js";
import { Failure } from "./wire.js";

const KEYS = { 1: "a", 2: "b" };
const STOPPED = "so there is nothing to vote on.";
const LEFT = `You left before both were complete, ${STOPPED}`;

export class Comparison {
  // `retry` runs both anew; `preferred` gets the better response after each vote, or null.
  constructor(id, { retry, preferred, ...options }) {
    Object.assign(this, { id, retry, preferred, text: "", ballot: null, left: false, trouble: null, changed: options.changed });
    this.element = fromTemplate("comparison-template");
    const find = (selector) => this.element.querySelector(selector);
    [this.note, this.failure, this.ballotPlace, this.anew] =
      [":scope > [data-note]", ":scope > [data-failure]", "[data-ballot]", ":scope > [data-again]"].map(find);
    this.sides = {
      a: new Answer("Response A", { ...options, number: "1", blind: true }),
      b: new Answer("Response B", { ...options, number: "2", blind: true }),
    };
    this.answers = Object.values(this.sides);
    find("[data-columns]").append(...this.answers.map((answer) => answer.element));
    this.element.addEventListener("keydown", (event) => this.pressed(event));
  }

  // The keys 1 and 2 choose while the focus is in the comparison, and not where something is typed.
  pressed(event) {
    const side = KEYS[event.key];
    if (!side || !this.ballot || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea, input")) return;
    event.preventDefault();
    this.ballot.pick(side, this.ballot.current === side);
  }

  take(event) {
    const answer = this.sides[event.variant];
    if (event.type !== "error") {
      answer.take(event);
      return;
    }
    answer.fail(Failure.told(event));
    const failed = this.answers.filter((it) => it.state === "failed");
    const which = failed.length > 1 ? "Both responses" : answer.title;
    this.again = this.told(new Failure(`${which} failed, so this comparison can't be voted on.`));
  }

  told(failure) {
    this.trouble = failure;
    return showFailure(this.failure, failure, this.retry);
  }

  tell(seconds) {
    for (const answer of this.answers) answer.tell(seconds);
  }

  // The stream has ended as it should. Returns where the work goes on.
  complete(known = {}) {
    if (this.again) return this.again;
    const counted = (preference, prompts) => this.reveal(preference, prompts);
    this.ballot = new Ballot(this.id, counted, { known, changed: this.changed });
    this.ballotPlace.append(this.ballot.element);
    return this.element;
  }

  stop() {
    for (const answer of this.unfinished) answer.stop();
    if (!this.again) this.remark(`You stopped this comparison, ${STOPPED}`);
  }

  // Who was to vote left.
  leave() {
    this.left = true;
    for (const answer of this.unfinished) answer.leave();
    this.remark(LEFT);
    if (!this.trouble) offerAgain(this.anew, this.retry);
  }

  remark(sentence) {
    this.note.textContent = sentence;
    show(this.note, true);
  }

  fail(failure) {
    for (const answer of this.unfinished) answer.breakOff();
    return this.told(failure);
  }

  get unfinished() {
    return this.answers.filter((answer) => !answer.state);
  }

  get vote() {
    return this.ballot;
  }

  get spoken() {
    return this.ballot ? "Both responses complete. Which is better?" : "Comparison ended without a vote.";
  }

  get outcome() {
    return this.ballot ? "Two responses ready" : "No comparison";
  }

  reveal(preference, prompts) {
    for (const [side, answer] of Object.entries(this.sides)) {
      answer.element.classList.toggle("preferred", side === preference);
      if (!this.revealed) {
        answer.votePlace.append(behind(prompts[side]));
        answer.link();
      }
    }
    if (!this.revealed && !this.restoring) announce(Object.entries(this.sides).map(([side, { title }]) =>
      `${title} came from the ${prompts[side].role}, ${prompts[side].name}.`).join(" "));
    this.revealed = true;
    this.preferred(this.sides[preference] ?? null);
  }

  // What to keep of it for a later visit. Of what is behind the sides it knows nothing before the vote.
  record() {
    const [a, b] = this.answers.map((answer) => answer.record());
    const left = this.left || this.unfinished.length > 0;
    const [note, failure] = [left ? LEFT : this.note.textContent, this.trouble?.record() ?? null];
    return { id: this.id, sides: { a, b }, ballot: this.ballot?.record() ?? null, note, left, failure };
  }

  restore({ sides, ballot, note, left = false, failure = null }) {
    this.restoring = true;
    for (const [side, answer] of Object.entries(this.sides)) answer.restore(sides[side]);
    if (ballot) this.complete(ballot);
    else if (failure) this.told(Failure.kept(failure));
    else this.remark(note || `This comparison ended early, ${STOPPED}`);
    if (left) this.leave();
    this.restoring = false;
  }
}

// What was behind a response.
function behind({ name, role, text }) {
  const element = fromTemplate("behind-template");
  element.querySelector("[data-name]").textContent = name;
  element.querySelector("[data-role]").textContent = `The ${role}`;
  element.querySelector("[data-text]").textContent = text;
  return element;
}
