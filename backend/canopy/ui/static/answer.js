// One answer: its text as it arrives, how it ended, and the question whether it helped.

import { announce, copyText, count, fromTemplate, offerAgain, pause, randomId, show, showFailure } from "./browser.js";
import { elements, mayBeFormatted } from "./formatted.js";
import { Vote } from "./vote.js";
import { Failure, request } from "./wire.js";

export class Answer {
  // `blind`: one of two that are compared, with no figures beside it and no vote of its own; `number` is then its own.
  // `changed` is called when there is something new to keep.
  constructor(title, { noun, blind = false, number = "", question = "", model, maxTokens, changed = () => {} }) {
    Object.assign(this, { title, noun, blind, question, model, maxTokens, changed });
    Object.assign(this, { text: "", waiting: "", state: "", started: performance.now(), first: null, vote: null });
    Object.assign(this, { generationId: null, requestId: null, trouble: null });
    this.element = fromTemplate("answer-template");
    const find = (selector) => this.element.querySelector(selector);
    [this.note, this.facts, this.failure, this.votePlace, this.own, this.plain, this.again] =
      ["[data-note]", "[data-facts]", "[data-failure]", "[data-vote]", "[data-own]", "[data-plain]", "[data-again]"].map(find);
    this.output = document.createTextNode("");
    [this.outputBox, this.formattedBox] = [find("[data-output]"), find("[data-formatted]")];
    this.outputBox.append(this.output);
    const heading = find("h2");
    heading.textContent = title;
    heading.id = `answer-${randomId()}`;
    this.element.setAttribute("aria-labelledby", heading.id);
    const badge = find("[data-number]");
    badge.textContent = number;
    show(badge, number);
    const asked = find(".question");
    asked.textContent = question;
    show(asked, question);
    this.copy = find("[data-copy]");
    for (const control of [this.copy, this.plain, this.own]) control.setAttribute("aria-describedby", heading.id);
    this.copy.addEventListener("click", () => this.copied());
    this.plain.addEventListener("click", () => this.showForm(this.formattedBox.hidden));
    this.element.classList.add("streaming");
    this.element.setAttribute("aria-busy", "true");
    this.facts.textContent = `${model} is reading…`;
  }

  take(event) {
    if (event.type === "begun") this.requestId = event.request_id;
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
    if (this.first === null) this.facts.textContent = "";
    this.first ??= performance.now();
    this.text += delta;
    if (!this.waiting) requestAnimationFrame(() => this.flush());
    this.waiting += delta;
  }

  flush() {
    this.output.appendData(this.waiting);
    this.waiting = "";
  }

  // How long it has taken, while it goes on.
  tell(seconds) {
    if (!this.state) this.facts.textContent = `${this.model} is ${this.text ? "writing" : "reading"}… ${seconds}`;
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
    this.generationId = event.generation_id ?? null;
    this.facts.textContent = this.blind ? "" : this.figures(event);
    if (event.finish_reason === "length") {
      this.remark(`Cut off at the configured maximum of ${count(this.maxTokens, "token")}.`);
    }
    this.offer();
  }

  // What can be done with it now that it is recorded: to rate it, to link to it, to see its Markdown.
  offer(known = {}) {
    const id = this.generationId ?? this.requestId;
    if (!id || !this.text) return;
    if (mayBeFormatted(this.text)) this.format(id);
    if (this.blind) return;
    this.link();
    if (!document.getElementById("vote-template")) return;
    const answer = this.generationId ? { generation_id: this.generationId } : { request_id: this.requestId };
    this.vote = new Vote(answer, `Was this ${this.noun} helpful?`, { known, changed: this.changed });
    this.votePlace.append(this.vote.element);
  }

  link() {
    this.own.href = `/generations/${encodeURIComponent(this.generationId ?? this.requestId)}`;
    show(this.own, true);
  }

  // What was stopped is recorded a moment later. Without an answer it stays as it is.
  async format(id) {
    for (const seconds of [0, 1, 3]) {
      if (seconds) await pause(seconds * 1000);
      try {
        const { formatted } = await (await request(`/generations/${encodeURIComponent(id)}`, { method: "GET" })).json();
        if (!formatted) return;
        this.formattedBox.replaceChildren(...elements(formatted));
        show(this.plain, true);
        this.showForm(true);
        return;
      } catch (failure) {
        if (failure.status !== 404) return;
      }
    }
  }

  // The button names the other form.
  showForm(formatted) {
    show(this.outputBox, !formatted);
    show(this.formattedBox, formatted);
    this.plain.textContent = formatted ? "Plain" : "Formatted";
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
    if (this.element.isConnected) this.offer();
  }

  breakOff() {
    this.end("failed");
    this.facts.textContent = "";
    if (this.text) this.remark("Incomplete.");
  }

  // Who was to read it left. `retry` asks for it anew.
  leave(retry) {
    this.end("left");
    this.facts.textContent = "";
    if (this.blind) return;
    this.remark(this.leftNote);
    if (this.element.isConnected) this.offer();
    offerAgain(this.again, retry);
  }

  get leftNote() {
    if (this.blind) return "";  // which is said once, of both
    return this.text ? "You left before it was complete." : "You left before the first word.";
  }

  fail(failure, retry) {
    this.breakOff();
    this.trouble = failure;
    return showFailure(this.failure, failure, retry);
  }

  get spoken() {
    return `${this.title} ${this.state === "left" ? "stopped" : this.state}.`;
  }

  // What the tab's title says at the end.
  get outcome() {
    return { complete: `${this.title} ready`, stopped: "Stopped", left: "Stopped", failed: `${this.title} failed` }[this.state];
  }

  remark(sentence) {
    this.note.textContent = sentence;
    show(this.note, true);
  }

  // What to keep of it for a later visit. What is still being written ends with the page that shows it.
  record() {
    const { title, noun, question, text, generationId, requestId } = this;
    const known = { title, noun, question, text, generationId, requestId, vote: this.vote?.record() ?? {} };
    if (!this.state) return { ...known, state: "left", note: this.leftNote, facts: "" };
    const failure = this.trouble?.record() ?? null;
    return { ...known, state: this.state, note: this.note.textContent, facts: this.facts.textContent, failure };
  }

  restore({ text, generationId, requestId, state, note, facts, vote, failure }, retry = null) {
    Object.assign(this, { text, generationId, requestId });
    this.output.data = text;
    this.end(state);
    this.facts.textContent = facts;
    if (note) this.remark(note);
    if (state !== "failed") this.offer(vote);
    else if (failure) this.fail(Failure.kept(failure), retry);
    if (state === "left" && retry) offerAgain(this.again, retry);
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
