// One answer: its text as it arrives, how it ended, and the question whether it helped.

import { announce, copyText, count, fromTemplate, randomId, show, showFailure } from "./browser.js";
import { Vote } from "./vote.js";

export class Answer {
  // `blind`: one of two that are compared, with no figures beside it and no vote of its own.
  constructor(title, { noun, blind = false, question = "", model, maxTokens }) {
    Object.assign(this, { title, noun, blind, model, maxTokens, text: "", waiting: "", state: "", started: performance.now(), first: null });
    this.element = fromTemplate("answer-template");
    const find = (selector) => this.element.querySelector(selector);
    [this.note, this.facts, this.failure, this.votePlace] =
      ["[data-note]", "[data-facts]", "[data-failure]", "[data-vote]"].map(find);
    this.output = document.createTextNode("");
    this.outputBox = find("[data-output]");
    this.outputBox.append(this.output);
    const heading = find("h2");
    heading.textContent = title;
    heading.id = `answer-${randomId()}`;
    this.element.setAttribute("aria-labelledby", heading.id);
    const asked = find(".question");
    asked.textContent = question;
    show(asked, question);
    this.copy = find("[data-copy]");
    this.copy.setAttribute("aria-describedby", heading.id);
    this.copy.addEventListener("click", () => this.copied());
    this.element.classList.add("streaming");
    this.element.setAttribute("aria-busy", "true");
    this.facts.textContent = `${model} is reading…`;
  }

  take(event) {
    if (event.delta) this.append(event.delta);
    if (event.type === "done") this.finish(event);
  }

  // Some of what was shown turned out to be the model's thoughts.
  correct(response) {
    this.flush();
    this.text = this.output.data = response;
  }

  // Tokens come faster than frames: they are painted once per frame.
  append(delta) {
    this.first ??= performance.now();
    this.text += delta;
    if (!this.waiting) requestAnimationFrame(() => this.flush());
    this.waiting += delta;
    if (this.facts.textContent) this.facts.textContent = "";
  }

  flush() {
    this.output.appendData(this.waiting);
    this.waiting = "";
  }

  end(state) {
    this.state = state;
    this.flush();
    this.element.classList.remove("streaming");
    this.element.setAttribute("aria-busy", "false");
    show(this.copy, this.text);
  }

  finish(event) {
    if (event.response !== undefined) this.correct(event.response);
    this.end("complete");
    this.facts.textContent = this.blind ? "" : this.figures(event);
    if (event.finish_reason === "length") {
      this.remark(`Cut off at the configured maximum of ${count(this.maxTokens, "token")}.`);
    }
    if (!this.blind && event.generation_id && document.getElementById("vote-template")) {
      this.votePlace.append(new Vote(event.generation_id, `Was this ${this.noun} helpful?`).element);
    }
  }

  figures(event) {
    const now = performance.now();
    const figures = [this.model];
    if (this.first !== null) figures.push(`first word after ${((this.first - this.started) / 1000).toFixed(2)} s`);
    const tokens = event.usage?.output_tokens;
    figures.push(`${tokens ? `${count(tokens, "token")} in ` : ""}${((now - this.started) / 1000).toFixed(1)} s`);
    return figures.join(" · ");
  }

  // The stream has ended as it should. Returns where the work goes on.
  complete() {
    return this.element;
  }

  stop() {
    this.end("stopped");
    this.facts.textContent = "";
    this.remark(this.text ? "You stopped it here." : "You stopped it before the first word.");
  }

  breakOff() {
    this.end("failed");
    this.facts.textContent = "";
    if (this.text) this.remark("Incomplete.");
  }

  fail(failure, retry) {
    this.breakOff();
    return showFailure(this.failure, failure, retry);
  }

  get spoken() {
    return `${this.title} ${this.state}.`;
  }

  remark(sentence) {
    this.note.textContent = sentence;
    show(this.note, true);
  }

  async copied() {
    const label = this.copy.querySelector("span");
    try {
      await copyText(this.text);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Copying isn't allowed here";
    }
    announce(label.textContent);
    setTimeout(() => { label.textContent = "Copy"; }, 2000);
  }
}
