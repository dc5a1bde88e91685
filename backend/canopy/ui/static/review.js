// The review of what disappointed: one text at a time, saved at once, by mouse or by keyboard.

import { announce, count, fromTemplate, show, showFailure } from "./browser.js";
import { persistently, request } from "./wire.js";

function inWords(name) {
  const words = name.replaceAll(/[_-]/g, " ");
  return words[0].toUpperCase() + words.slice(1);
}

function answerElement(answer, ratings) {
  const element = fromTemplate("answer-template");
  const put = (at, text) => {
    const place = element.querySelector(at);
    place.textContent = text ?? "";
    show(place, text);
  };
  put("[data-rating]", ratings[answer.rating] ?? inWords(answer.rating));
  put("[data-comment]", answer.comment);
  put("[data-response]", answer.response_text);
  element.querySelector("[data-reasons]").append(...answer.reasons.map((reason) => {
    return Object.assign(document.createElement("span"), { className: "tag", textContent: inWords(reason) });
  }));
  return element;
}

class Review {
  constructor(root) {
    this.root = root;
    const find = (selector) => root.querySelector(selector);
    [this.beginning, this.form, this.end, this.failure] = ["[data-begin]", "form", "[data-end]", "[data-failure]"].map(find);
    this.field = this.form.querySelector("textarea");
    this.ratings = JSON.parse(root.dataset.ratings);  // in words; labels of one's own are their names
    this.drafts = new Map();
    this.busy = false;
    for (const button of root.querySelectorAll("[data-start]")) {
      button.addEventListener("click", () => this.alone(() => this.start(button.dataset.start)));
    }
    for (const button of root.querySelectorAll("[data-back]")) {
      button.addEventListener("click", () => this.alone(() => this.go(-1)));
    }
    this.form.querySelector("[data-skip]").addEventListener("click", () => this.alone(() => this.go(1)));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.alone(() => this.save());
    });
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.form.requestSubmit();
    });
    this.field.addEventListener("input", () => {
      const [{ feedback_id: id, expected_result: saved }, text] = [this.shown, this.field.value];
      this.field.setCustomValidity(text.trim() ? "" : `Write what a good ${this.root.dataset.noun} would say, or skip.`);
      if (text.trim() && text !== saved) this.drafts.set(id, text); else this.drafts.delete(id);
    });
    // A text that is half written must not be lost by a slip.
    addEventListener("beforeunload", (event) => { if (this.drafts.size) event.preventDefault(); });
    show(root, true);
  }

  get shown() {
    return this.cases[this.position];
  }

  // One thing at a time; what fails says so, and can be tried again.
  async alone(work) {
    if (this.busy) return;
    this.busy = this.field.readOnly = true;
    this.failure.replaceChildren();
    try {
      await work();
    } catch (error) {
      showFailure(this.failure, error, () => this.alone(work)).focus();
    } finally {
      this.busy = this.field.readOnly = false;
    }
  }

  async start(state) {
    Object.assign(this, { state, cases: [], next: "", position: 0, saved: 0 });
    await this.load();
    if (this.total === null) this.expected = null;  // too many to count
    else this.expected = state === "all" ? this.total : this.total - this.reviewed;
    this.render();
  }

  async load() {
    const address = new URL(this.root.dataset.address, location.href);
    address.searchParams.set("state", this.state);
    if (this.next) address.searchParams.set("after", this.next);
    const page = await (await persistently(() => request(address, { method: "GET" }))).json();
    this.cases.push(...page.cases);
    Object.assign(this, { next: page.next, total: page.total, reviewed: page.reviewed });
  }

  async go(step) {
    const position = Math.max(this.position + step, 0);
    if (position >= this.cases.length && this.next) await this.load();
    this.position = position;
    this.render();
  }

  async save() {
    const [it, text] = [this.shown, this.field.value.trim()];
    if (text !== it.expected_result) {
      const body = { feedback_id: it.feedback_id, expected_result: text };
      await persistently(() => request("/feedback/review", { method: "PUT", body }));
      if (!it.expected_result) this.reviewed += 1;
      this.saved += 1;
      it.expected_result = text;
    }
    this.drafts.delete(it.feedback_id);
    await this.go(1);
    announce(this.shown ? `Saved. ${this.place}` : "Saved.");
  }

  get place() {
    const number = `Text ${(this.position + 1).toLocaleString("en")}`;
    return this.expected === null ? number : `${number} of ${this.expected.toLocaleString("en")}`;
  }

  render() {
    const it = this.shown;
    show(this.beginning, false);
    show(this.form, it);
    show(this.end, !it);
    if (!it) return this.renderEnd();
    const find = (selector) => this.form.querySelector(selector);
    find("[data-place]").textContent = this.place;
    Object.assign(find("progress"), { max: Math.max(this.total ?? 1, 1), value: this.reviewed });
    show(find(".review-progress"), this.total !== null);
    if (this.total !== null) find("[data-progress]").textContent = `${this.reviewed.toLocaleString("en")} of ${count(this.total, "text")} reviewed`;
    find("[data-prompt]").textContent = it.prompt;
    find("[data-answers]").replaceChildren(...it.answers.map((answer) => answerElement(answer, this.ratings)));
    for (const place of this.form.querySelectorAll(".scroll")) place.scrollTop = 0;
    show(find("[data-back]"), this.position > 0);
    this.field.value = this.drafts.get(it.feedback_id) ?? it.expected_result;
    this.field.setCustomValidity("");
    this.field.focus();
  }

  renderEnd() {
    const outcome = this.end.querySelector("[data-outcome]");
    const left = this.total - this.reviewed;
    const waits = this.total === null ? "" : left ? `${count(left, "text")} still ${left === 1 ? "waits" : "wait"}.` : "Every text is reviewed.";
    outcome.textContent = this.saved ? `Thank you: ${count(this.saved, "text")} saved. ${waits}` : `That was all. ${waits}`;
    show(this.end.querySelector("[data-back]"), this.cases.length);
    outcome.focus();
  }
}

const root = document.getElementById("review");
if (root) new Review(root);
