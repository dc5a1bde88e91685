// Two responses to one text, side by side, and the question which is better. Nothing here knows the prompts before
// the vote.

import { Answer } from "./answer.js";
import { Ballot } from "./ballot.js";
import { announce, fromTemplate, show, showFailure } from "./browser.js";
import { Failure } from "./wire.js";

export class Comparison {
  // `retry` runs both anew; `preferred` gets the better response after each vote, or null.
  constructor(id, { retry, preferred, ...options }) {
    Object.assign(this, { id, retry, preferred, text: "" });
    this.element = fromTemplate("comparison-template");
    const find = (selector) => this.element.querySelector(selector);
    [this.note, this.failure, this.ballotPlace] =
      [":scope > [data-note]", ":scope > [data-failure]", "[data-ballot]"].map(find);
    this.sides = {
      a: new Answer("Response A", { ...options, blind: true }),
      b: new Answer("Response B", { ...options, blind: true }),
    };
    this.answers = Object.values(this.sides);
    find("[data-columns]").append(...this.answers.map((answer) => answer.element));
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
    this.again = showFailure(this.failure, new Failure(`${which} failed, so this comparison can't be voted on.`), this.retry);
  }

  // The stream has ended as it should. Returns where the work goes on.
  complete() {
    if (this.again) return this.again;
    const ballot = new Ballot(this.id, (preference, prompts) => this.reveal(preference, prompts));
    this.ballotPlace.append(ballot.element);
    return this.element;
  }

  stop() {
    for (const answer of this.unfinished) answer.stop();
    this.note.textContent = "You stopped this comparison, so there is nothing to vote on.";
    show(this.note, !this.again);
  }

  fail(failure) {
    for (const answer of this.unfinished) answer.breakOff();
    return showFailure(this.failure, failure, this.retry);
  }

  get unfinished() {
    return this.answers.filter((answer) => !answer.state);
  }

  get spoken() {
    return this.ballotPlace.hasChildNodes() ? "Both responses complete. Which is better?" : "Comparison ended without a vote.";
  }

  reveal(preference, prompts) {
    for (const [side, answer] of Object.entries(this.sides)) {
      answer.element.classList.toggle("preferred", side === preference);
      if (!this.revealed) answer.votePlace.append(behind(prompts[side]));
    }
    if (!this.revealed) announce(Object.entries(this.sides).map(([side, { title }]) =>
      `${title} came from ${prompts[side].name}, ${prompts[side].role}.`).join(" "));
    this.revealed = true;
    this.preferred(this.sides[preference] ?? null);
  }
}

// What was behind a response.
function behind({ name, role, text }) {
  const element = fromTemplate("behind-template");
  element.querySelector("[data-name]").textContent = name;
  element.querySelector("[data-role]").textContent = role;
  element.querySelector("[data-text]").textContent = text;
  return element;
}
