// The text that is to be answered, kept in this tab alone, for each feature.

import { count, fromTemplate, kept, show } from "./browser.js";

// Characters as the server counts them: a pair of surrogates is one.
function length(text) {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

export class Composer {
  // `cleared` is called when the text is put away, `more` tells whether there is more to put away than the text, and
  // `busy` whether something is being written, which no key throws away.
  constructor(form, { limit, key, cleared, more, busy }) {
    Object.assign(this, { form, limit, key, more });
    [this.field, this.counter, this.clear] = ["textarea", "#count", "[data-clear]"].map((at) => form.querySelector(at));
    this.field.value = kept.get(this.key) ?? "";
    this.field.addEventListener("input", () => this.changed());
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      if (!busy()) form.requestSubmit();
    });
    this.example = form.querySelector("[data-example]");
    this.clear.addEventListener("click", () => {
      cleared();
      this.put("");
    });
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
    this.offer();
  }

  offer() {
    show(this.clear, this.text || this.more());
    show(this.example, !this.text);
  }
}
