// The page of a feature: a text, the answer to it, and follow-up questions. Other pages need no script but one nicety.

import { Answer } from "./answer.js";
import { announce, count, fromTemplate, kept, show } from "./browser.js";
import { Comparison } from "./comparison.js";
import { generation } from "./wire.js";

// Characters as the server counts them: a pair of surrogates is one.
function length(text) {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

// The text that is to be answered, kept in this tab alone, for each feature.
class Composer {
  constructor(form, limit, key) {
    [this.form, this.limit, this.key] = [form, limit, key];
    [this.field, this.counter, this.clear] = ["textarea", "#count", "[data-clear]"].map((at) => form.querySelector(at));
    this.field.value = kept.get(this.key) ?? "";
    this.field.addEventListener("input", () => this.changed());
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      form.requestSubmit();
    });
    this.example = form.querySelector("[data-example]");
    this.clear.addEventListener("click", () => this.put(""));
    this.example.addEventListener("click", () => {
      this.put(fromTemplate("example-template").textContent);
      form.requestSubmit();
    });
    this.changed();
  }

  get text() {
    return this.field.value;
  }

  put(text) {
    this.field.value = text;
    this.changed();
    this.field.focus();
    this.field.setSelectionRange(0, 0);
    this.field.scrollTop = 0;
  }

  changed() {
    kept.set(this.key, this.text);
    const over = length(this.text) - this.limit;
    const limit = this.limit.toLocaleString("en");
    this.counter.textContent = over > 0
      ? `${count(over, "character")} over the limit of ${limit}`
      : `${length(this.text).toLocaleString("en")} of ${limit} characters`;
    this.counter.classList.toggle("over", over > 0);
    const blank = this.text && !this.text.trim() ? "There is only white space here." : "";
    this.field.setCustomValidity(over > 0 ? `${count(over, "character")} too many.` : blank);
    show(this.clear, this.text);
    show(this.example, !this.text);
  }
}

function turns(question, answer) {
  return [{ role: "user", content: question }, { role: "assistant", content: answer }];
}

class FeaturePage {
  constructor(root) {
    [this.endpoint, this.noun] = [root.dataset.endpoint, root.dataset.noun];
    this.options = { model: root.dataset.model, maxTokens: Number(root.dataset.maxTokens) };
    this.comparing = "comparing" in root.dataset;
    this.form = root.querySelector("#composer");
    this.composer = new Composer(this.form, Number(root.dataset.limit), `canopy.text:${this.endpoint}`);
    this.conversation = root.querySelector("#conversation");
    this.followUp = root.querySelector("#follow-up");
    this.question = this.followUp.querySelector("textarea");
    this.about = this.followUp.querySelector("[data-about]");
    this.messages = [];
    this.running = null;
    this.on(this.form, () => this.answer());
    this.on(this.followUp, () => this.ask());
    this.question.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.followUp.requestSubmit();
    });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") this.running?.abort(); });
  }

  on(form, start) {
    form.addEventListener("submit", (event) => { event.preventDefault(); start(); });
    form.querySelector("[data-stop]").addEventListener("click", () => this.running?.abort());
  }

  answer() {
    this.running?.abort();
    this.conversation.replaceChildren();
    this.goOnFrom("", null);
    const asked = this.composer.text;
    const answer = new Answer(this.noun[0].toUpperCase() + this.noun.slice(1), { ...this.options, noun: this.noun });
    const start = (signal) => this.first(asked, signal);
    return this.run(start, { answer, asked, form: this.form, retry: () => this.answer() });
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
    this.question.value = "";
    const answer = new Answer("Answer", { ...this.options, noun: "answer", question });
    const messages = [...this.messages, { role: "user", content: question }];
    const retry = () => { answer.element.remove(); this.ask(question); };
    const start = (signal) => generation(`${this.endpoint}/chat`, { messages }, signal);
    return this.run(start, { answer, asked: question, form: this.followUp, retry });
  }

  async run(start, { answer, asked, form, retry }) {
    const running = new AbortController();
    this.running = running;
    this.conversation.append(answer.element);
    show(this.conversation, true);
    this.switch(form, true);
    answer.element.scrollIntoView({ block: "nearest" });
    let reply = answer;
    let next = () => form.querySelector("[data-start]");
    try {
      for await (const event of start(running.signal)) {
        if (event.type === "ab_config") reply = this.compare(event, answer, asked, retry);
        else reply.take(event);
      }
      const place = reply.complete();
      if (reply.text) this.messages.push(...turns(asked, reply.text));
      next = () => (form === this.form ? place : this.question);
    } catch (error) {
      if (error.name === "AbortError") {
        reply.stop();
      } else {
        const button = reply.fail(error, retry);
        next = () => button;
      }
    }
    if (this.running !== running) return;  // another answer has begun
    this.running = null;
    show(this.followUp, this.messages.length);
    this.switch(form, false, next);
    announce(`${reply.spoken}${form === this.form ? "" : ` ${reply.text}`}`);
  }

  // Two columns take the place of the answer that was to come.
  compare(event, answer, asked, retry) {
    const preferred = (better) => { if (comparison.element.isConnected) this.goOnFrom(asked, better); };
    const comparison = new Comparison(event.comparison_id, { ...this.options, retry, preferred });
    answer.element.replaceWith(comparison.element);
    comparison.element.scrollIntoView({ block: "nearest" });
    return comparison;
  }

  // Questions after a comparison go on from the better response. With the first one asked, that is settled.
  goOnFrom(asked, answer) {
    if (asked && (this.running || this.messages.length > 2)) return;
    this.messages = answer ? turns(asked, answer.text) : [];
    this.about.textContent = answer ? ` about ${answer.title}` : "";
    show(this.followUp, answer);
  }

  // The focus follows the work: to Stop at the start, and, where it still is there, to the result at the end.
  switch(form, busy, next = null) {
    const [start, stop] = ["[data-start]", "[data-stop]"].map((at) => form.querySelector(at));
    const follow = busy ? form.contains(document.activeElement) : document.activeElement === stop;
    show(start, !busy);
    show(stop, busy);
    if (follow) (busy ? stop : next()).focus({ preventScroll: busy });
  }
}

const root = document.getElementById("feature");
if (root) new FeaturePage(root);

// Filters that aren't used stay out of the address.
document.getElementById("filters")?.addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) if (!value) formData.delete(name);
});
