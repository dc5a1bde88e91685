// One vote on one answer, by thumbs. It can be taken back.

import { show } from "./browser.js";
import { Choice } from "./choice.js";
import { request } from "./wire.js";

export class Vote extends Choice {
  constructor(generationId, question) {
    super("vote-template", question);
    Object.assign(this, { generationId, id: null });
    this.undo = this.element.querySelector("[data-undo]");
    this.undo.addEventListener("click", () => { this.buttons[0].focus(); this.submit(null); });
  }

  pick(rating, pressed) {
    this.submit(pressed ? null : rating);
  }

  async send(rating, key) {
    if (rating === null) return this.takeBack();
    const body = { generation_id: this.generationId, rating, ...this.details(rating) };
    const response = await request("/feedback", { body, headers: { "Idempotency-Key": key } });
    this.id = (await response.json()).feedback_id;
  }

  async takeBack() {
    if (this.id === null) return;
    await request(`/feedback/${encodeURIComponent(this.id)}`, { method: "DELETE" }).catch((error) => {
      if (error.status !== 404) throw error;  // gone already is what was wanted
    });
    this.id = null;
  }

  render(rating, detailed, sentence) {
    super.render(rating, detailed, sentence);
    show(this.undo, rating !== null);
  }

  thanks(rating, detailed) {
    return rating === null ? "Taken back." : super.thanks(rating, detailed);
  }
}
