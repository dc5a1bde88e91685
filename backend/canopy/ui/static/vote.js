// One vote: thumbs, reasons and a comment, changed or taken back at will.

import { fromTemplate, randomId, show, showFailure } from "./browser.js";
import { persistently, request } from "./wire.js";

export class Vote {
  constructor(generationId, question) {
    this.generationId = generationId;
    this.saved = { rating: null, id: null };
    this.latest = 0;
    this.queue = Promise.resolve();
    this.element = fromTemplate("vote-template");
    const find = (selector) => this.element.querySelector(selector);
    [this.why, this.state, this.undo, this.edit] = [".why", ".vote-state", "[data-undo]", "[data-edit]"].map(find);
    this.failure = find("[data-failure]");
    this.thumbs = [...this.element.querySelectorAll("[data-rating]")];
    find(".vote-question").textContent = question;
    this.element.setAttribute("aria-label", question);
    for (const thumb of this.thumbs) {
      thumb.addEventListener("click", () => {
        const pressed = thumb.getAttribute("aria-pressed") === "true";
        this.submit(pressed ? null : thumb.dataset.rating);
      });
    }
    this.undo.addEventListener("click", () => { this.thumbs[0].focus(); this.submit(null); });
    this.edit.addEventListener("click", () => {
      show(this.why, true);
      show(this.edit, false);
      this.why.querySelector("input, textarea").focus();
    });
    this.why.addEventListener("submit", (event) => {
      event.preventDefault();
      this.edit.hidden = false;
      this.edit.focus();
      this.submit("thumbs_down", true);
    });
  }

  // One at a time, in order, and of those that wait only the newest: the last choice is the one that counts.
  submit(rating, detailed = false) {
    this.latest += 1;
    const mine = this.latest;
    const key = randomId();
    const again = () => { if (mine === this.latest) this.queue = this.queue.then(attempt); };
    const attempt = async () => {
      if (mine !== this.latest) return;
      this.state.textContent = "Saving…";
      try {
        const id = await persistently(() => this.send(rating, key));
        this.saved = { rating, id };
        if (mine === this.latest) this.render(rating, detailed, thanks(rating, detailed));
      } catch (error) {
        if (mine !== this.latest) return;
        this.render(this.saved.rating, detailed, "Not saved.");
        showFailure(this.failure, error, again);
      }
    };
    this.failure.replaceChildren();
    this.render(rating, detailed, "Saving…");
    again();
  }

  async send(rating, key) {
    if (rating === null) {
      if (this.saved.id === null) return null;
      await request(`/feedback/${encodeURIComponent(this.saved.id)}`, { method: "DELETE" }).catch((error) => {
        if (error.status !== 404) throw error;  // gone already is what was wanted
      });
      return null;
    }
    const body = { generation_id: this.generationId, rating, ...(rating === "thumbs_down" && this.details()) };
    const response = await request("/feedback", { body, headers: { "Idempotency-Key": key } });
    return (await response.json()).feedback_id;
  }

  details() {
    const fields = new FormData(this.why);
    const comment = fields.get("comment").trim();
    return { reasons: fields.getAll("reasons"), ...(comment && { comment }) };
  }

  render(rating, detailed, sentence) {
    for (const thumb of this.thumbs) thumb.setAttribute("aria-pressed", String(thumb.dataset.rating === rating));
    show(this.why, rating === "thumbs_down" && !detailed);
    show(this.edit, rating === "thumbs_down" && detailed);
    show(this.undo, rating !== null);
    this.state.textContent = sentence;
  }
}

function thanks(rating, detailed) {
  if (rating === null) return "Taken back.";
  return detailed ? "Details saved." : "Thanks, saved.";
}
