// The page of a feature: a text, the answer to it, and follow-up questions.

import { Answer } from "./answer.js";
import { announce, kept, keepApart, show } from "./browser.js";
import { Comparison } from "./comparison.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { Waiting } from "./waiting.js";
import { Failure, generation } from "./wire.js";

const KEEP_AFTER = 500;  // milliseconds from a change of what is kept

function exchange(question, answer) {
  return [{ role: "user", content: question }, { role: "assistant", content: answer }];
}

class FeaturePage {
  constructor(root) {
    [this.endpoint, this.noun] = [root.dataset.endpoint, root.dataset.noun];
    const changed = () => this.keepSoon();
    this.options = { model: root.dataset.model, maxTokens: Number(root.dataset.maxTokens), changed };
    this.comparing = "comparing" in root.dataset;
    this.kept = new Conversation(this.endpoint);
    Object.assign(this, { messages: [], turns: [], asked: "", running: null, left: false });
    this.form = root.querySelector("#composer");
    this.conversation = root.querySelector("#conversation");
    this.followUp = root.querySelector("#follow-up");
    this.question = this.followUp.querySelector("textarea");
    this.about = this.followUp.querySelector("[data-about]");
    this.composer = new Composer(this.form, {
      limit: Number(root.dataset.limit),
      key: `canopy.text:${this.endpoint}`,
      cleared: () => {
        this.forget();
        this.draft("");
      },
      more: () => this.turns.length > 0,
      busy: () => this.running !== null,
    });
    this.on(this.form, () => this.answer());
    this.on(this.followUp, () => this.ask());
    this.draftKey = `canopy.question:${this.endpoint}`;
    this.draft(kept.get(this.draftKey) ?? "");
    this.question.addEventListener("input", () => this.draft(this.question.value));
    this.question.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.followUp.requestSubmit();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.target.closest?.(".why")) this.running?.abort();
    });
    window.addEventListener("pagehide", () => this.leave());
    document.addEventListener("visibilitychange", () => {  // a phone may end what is in the background without a word
      if (document.visibilityState !== "hidden" || this.left) return;
      for (const turn of this.turns) turn.vote?.leave({ draft: true });
      this.keep();
    });
    window.addEventListener("pageshow", () => { this.left = false; });  // it may come back as it was
    this.restore(this.kept.load());
  }

  on(form, start) {
    form.addEventListener("submit", (event) => { event.preventDefault(); start(); });
    form.querySelector("[data-stop]").addEventListener("click", () => this.running?.abort());
  }

  get title() {
    return this.noun[0].toUpperCase() + this.noun.slice(1);
  }

  answer() {
    this.forget();
    this.asked = this.composer.text;
    const answer = new Answer(this.title, { ...this.options, noun: this.noun });
    const start = (signal) => this.first(this.asked, signal);
    return this.run(start, { answer, asked: this.asked, form: this.form, retry: () => this.answer() });
  }

  // One answer or a comparison, as the server decides. A comparison may end while this page is open.
  async* first(prompt, signal) {
    try {
      if (this.comparing) {
        yield* generation(`${this.endpoint}/ab`, { prompt }, signal);
        return;
      }
    } catch (error) {
      if (error.code !== "feature_disabled") throw error;
      this.comparing = false;
    }
    yield* generation(this.endpoint, { prompt }, signal);
  }

  ask(question = this.question.value.trim()) {
    if (!question || this.running) return null;
    this.draft("");
    const answer = new Answer("Answer", { ...this.options, noun: "answer", question });
    const messages = [...this.messages, { role: "user", content: question }];
    const retry = () => this.askAgain(answer);
    const start = (signal) => generation(`${this.endpoint}/chat`, { messages }, signal);
    return this.run(start, { answer, asked: question, form: this.followUp, retry });
  }

  // The same question, in the place of an answer that failed or that nobody waited for.
  askAgain(answer) {
    this.running?.abort();
    this.running = null;
    answer.element.remove();
    this.turns = this.turns.filter((it) => it !== answer);
    this.ask(answer.question);
  }

  // A question that isn't asked yet, which stays over a visit elsewhere.
  draft(question) {
    this.question.value = question;
    if (question) kept.set(this.draftKey, question);
    else kept.remove(this.draftKey);
  }

  async run(start, { answer, asked, form, retry }) {
    const running = new AbortController();
    this.running = running;
    this.add(answer);
    this.switch(form, true);
    answer.element.scrollIntoView({ block: "nearest" });
    let reply = answer;
    const waiting = new Waiting(answer.noun === "summary" ? "Summarizing" : "Answering", (words) => reply.tell(words));
    let next = () => form.querySelector("[data-start]");
    try {
      for await (const event of start(running.signal)) {
        if (event.type === "begun") answer.take(event);
        else if (event.type === "ab_config") reply = this.compare(event, answer, asked, retry);
        else reply.take(event);
      }
      const place = reply.complete();
      if (reply.text) this.messages.push(...exchange(asked, reply.text));
      next = () => (form === this.form ? place : this.question);
    } catch (error) {
      if (this.left) {  // the browser has broken off what the page waited for
        reply.leave(retry);
      } else if (error.name === "AbortError") {
        reply.stop();
      } else {
        const button = reply.fail(error, retry);
        next = () => button;
      }
    }
    this.keep();
    if (this.running !== running) {  // another answer has begun, or all is put away
      waiting.drop();
      return;
    }
    this.running = null;
    waiting.end(reply.outcome);
    show(this.followUp, this.messages.length);
    this.switch(form, false, next);
    announce(`${reply.spoken}${form === this.form ? "" : ` ${reply.text}`}`);
  }

  add(turn) {
    this.turns.push(turn);
    this.conversation.append(turn.element);
    show(this.conversation, true);
    this.composer.offer();
  }

  // Two columns take the place of the answer that was to come.
  compare({ comparison_id: id }, answer, asked, retry) {
    const comparison = this.comparison(id, asked, retry);
    answer.element.replaceWith(comparison.element);
    this.turns = this.turns.map((turn) => (turn === answer ? comparison : turn));
    comparison.element.scrollIntoView({ block: "nearest" });
    return comparison;
  }

  comparison(id, asked, retry) {
    const preferred = (better) => { if (comparison.element.isConnected) this.goOnFrom(asked, better); };
    const comparison = new Comparison(id, { ...this.options, retry, preferred });
    return comparison;
  }

  // Questions after a comparison go on from the better response. With the first one asked, that is settled.
  goOnFrom(asked, answer) {
    if (asked && (this.running || this.messages.length > 2)) return;
    this.messages = answer ? exchange(asked, answer.text) : [];
    this.about.textContent = answer?.blind ? ` about ${answer.title}` : "";
    show(this.followUp, answer);
  }

  // Everything that was asked and answered is put away.
  forget() {
    for (const turn of this.turns) turn.vote?.leave();
    this.running?.abort();
    this.running = null;
    this.switch(this.form, false);
    this.switch(this.followUp, false);
    this.conversation.replaceChildren();
    show(this.conversation, false);
    this.turns = [];
    this.goOnFrom("", null);
    this.kept.clear();
    this.composer.offer();
  }

  // The focus follows the work: to Stop at the start, and, where it still is there, to the result at the end.
  switch(form, busy, next = null) {
    const [start, stop] = ["[data-start]", "[data-stop]"].map((at) => form.querySelector(at));
    const follow = busy ? form.contains(document.activeElement) : document.activeElement === stop;
    show(start, !busy);
    show(stop, busy);
    if (follow) (busy ? stop : next?.() ?? start).focus({ preventScroll: busy });
  }

  keep() {
    clearTimeout(this.keeping);
    const record = (turn) => ({ kind: turn instanceof Comparison ? "comparison" : "answer", ...turn.record() });
    this.kept.save(this.asked, this.turns.map(record));
  }

  keepSoon() {
    clearTimeout(this.keeping);
    this.keeping = setTimeout(() => this.keep(), KEEP_AFTER);
  }

  leave() {
    this.left = true;
    for (const turn of this.turns) turn.vote?.leave();
    this.keep();
  }

  // What an earlier visit of this tab kept: as it was, without saying a word or moving the focus.
  restore(record) {
    if (!record) return;
    this.asked = record.asked;
    for (const known of record.turns) {
      const first = !this.turns.length;
      const about = first ? this.asked : known.question;
      const turn = known.kind === "comparison"
        ? this.comparison(known.id, this.asked, () => this.answer())
        : new Answer(known.title, { ...this.options, noun: known.noun, question: known.question });
      this.add(turn);
      turn.restore(known, first ? () => this.answer() : () => this.askAgain(turn));
      if (known.kind === "answer" && known.state === "complete" && (first || this.messages.length)) {
        this.messages.push(...exchange(about, known.text));
      }
    }
    show(this.followUp, this.messages.length);
  }
}

// Before canopy.js, which then sends votes that wait, so that this page hears what becomes of its own.
keepApart();
new FeaturePage(document.getElementById("feature"));
