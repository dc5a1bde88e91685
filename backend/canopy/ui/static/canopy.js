// The Summarization page: a text, its summary, and follow-up questions. Other pages need no script but one nicety.

import { Answer } from "./answer.js";
import { announce, count, fromTemplate, kept, show } from "./browser.js";
import { generation } from "./wire.js";

// Characters as the server counts them: a pair of surrogates is one.
function length(text) {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

// The text that is to be summarized, kept in this tab alone.
class Composer {
  constructor(form, limit) {
    [this.form, this.limit] = [form, limit];
    [this.field, this.counter, this.clear] = ["textarea", "#count", "[data-clear]"].map((at) => form.querySelector(at));
    this.field.value = kept.get("canopy.text") ?? "";
    this.field.addEventListener("input", () => this.changed());
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      form.requestSubmit();
    });
    this.example = form.querySelector("[data-example]");
    this.clear.addEventListener("click", () => this.put(""));
    this.example.addEventListener("click", () => this.put(fromTemplate("example-template").textContent));
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
    kept.set("canopy.text", this.text);
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

class Summarizer {
  constructor(root) {
    this.options = { model: root.dataset.model, maxTokens: Number(root.dataset.maxTokens) };
    this.form = root.querySelector("#composer");
    this.composer = new Composer(this.form, Number(root.dataset.limit));
    this.conversation = root.querySelector("#conversation");
    this.followUp = root.querySelector("#follow-up");
    this.question = this.followUp.querySelector("textarea");
    this.messages = [];
    this.running = null;
    this.on(this.form, () => this.summarize());
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

  summarize() {
    this.running?.abort();
    this.conversation.replaceChildren();
    this.messages = [];
    show(this.followUp, false);
    const prompt = this.composer.text;
    const answer = new Answer("Summary", { ...this.options, noun: "summary" });
    return this.run("/summarize", { prompt }, { answer, asked: prompt, form: this.form, retry: () => this.summarize() });
  }

  ask(question = this.question.value.trim()) {
    if (!question || this.running) return null;
    this.question.value = "";
    const answer = new Answer("Answer", { ...this.options, noun: "answer", question });
    const messages = [...this.messages, { role: "user", content: question }];
    const retry = () => { answer.element.remove(); this.ask(question); };
    return this.run("/summarize/chat", { messages }, { answer, asked: question, form: this.followUp, retry });
  }

  async run(path, body, { answer, asked, form, retry }) {
    const running = new AbortController();
    this.running = running;
    this.conversation.append(answer.element);
    show(this.conversation, true);
    this.switch(form, true);
    answer.element.scrollIntoView({ block: "nearest" });
    let next = () => form.querySelector("[data-start]");
    try {
      for await (const event of generation(path, body, running.signal)) {
        if (event.delta) answer.append(event.delta);
        if (event.type === "done") answer.finish(event);
      }
      this.messages.push({ role: "user", content: asked }, { role: "assistant", content: answer.text });
      next = () => (form === this.form ? answer.element : this.question);
    } catch (error) {
      if (error.name === "AbortError") {
        answer.stop();
      } else {
        const button = answer.fail(error, retry);
        next = () => button;
      }
    }
    if (this.running !== running) return;  // another summary has begun
    this.running = null;
    show(this.followUp, this.messages.length);
    this.switch(form, false, next);
    announce(`${answer.title} ${answer.state}.${form === this.form ? "" : ` ${answer.text}`}`);
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

const root = document.getElementById("summarizer");
if (root) new Summarizer(root);

// Filters that aren't used stay out of the address.
document.getElementById("filters")?.addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) if (!value) formData.delete(name);
});
