// One vote on one answer, by thumbs. It can be taken back.

import { show } from "./browser.js";
import { Choice } from "./choice.js";

export class Vote extends Choice {
  // `answer` names it: by `generation_id`, or, where it was stopped, by `request_id`.
  constructor(answer, question, kept = {}) {
    super("vote-template", question, Object.values(answer)[0], kept);
    this.answer = answer;
    this.id = kept.known?.id ?? null;
    this.undo = this.element.querySelector("[data-undo]");
    this.undo.addEventListener("click", () => { this.buttons[0].focus(); this.submit(null); });
    show(this.undo, this.current !== null);
  }

  pick(rating, pressed) {
    this.submit(pressed ? null : rating);
  }

  message(rating) {
    const takeBack = rating === null;
    const sent = takeBack ? this.current ?? this.saved ?? this.buttons[0].dataset.choice : rating;
    const body = { ...this.answer, rating: sent, ...this.details(sent) };
    return { path: "/feedback", body, takeBack, ...(takeBack && { id: this.id }), early: "request_id" in this.answer };
  }

  received(rating, answer) {
    this.id = rating === null ? null : answer.feedback_id;
  }

  record() {
    return { ...super.record(), id: this.id };
  }

  render(rating, detailed, sentence) {
    super.render(rating, detailed, sentence);
    if (this.undo) show(this.undo, rating !== null);
  }

  thanks(rating, detailed) {
    return rating === null ? "Taken back." : super.thanks(rating, detailed);
  }
}
