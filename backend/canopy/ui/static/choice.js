// A choice by buttons: saved at once, explained where that is asked for, and changed at will.

import { fromTemplate, randomId, show, showFailure } from "./browser.js";
import { persistently } from "./wire.js";

// A kind of choice says what a button does (`pick`) and how a choice is sent (`send`, with one key for all its tries).
// Buttons, not radio buttons: those choose where the arrow keys only look.
export class Choice {
  constructor(template, question) {
    Object.assign(this, { saved: null, latest: 0, queue: Promise.resolve() });
    this.element = fromTemplate(template);
    const find = (selector) => this.element.querySelector(selector);
    this.explained = find("[data-explained]").dataset.choice;  // the one choice that asks why
    [this.why, this.state, this.edit, this.failure] =
      [".why", ".vote-state", "[data-edit]", ":scope > [data-failure]"].map(find);
    this.buttons = [...this.element.querySelectorAll("[data-choice]")];
    find(".vote-question").textContent = question;
    this.element.setAttribute("aria-label", question);
    for (const button of this.buttons) {
      button.addEventListener("click", () => {
        this.pick(button.dataset.choice, button.getAttribute("aria-pressed") === "true");
      });
    }
    this.edit.addEventListener("click", () => {
      show(this.why, true);
      show(this.edit, false);
      this.why.querySelector("input, textarea").focus();
    });
    this.why.addEventListener("submit", (event) => {
      event.preventDefault();
      this.edit.hidden = false;
      this.edit.focus();
      this.submit(this.explained, true);
    });
  }

  // One at a time, in order, and of those that wait only the newest: the last choice is the one that counts.
  submit(choice, detailed = false) {
    this.latest += 1;
    const mine = this.latest;
    const key = randomId();
    const again = () => { if (mine === this.latest) this.queue = this.queue.then(attempt); };
    const attempt = async () => {
      if (mine !== this.latest) return;
      this.state.textContent = "Saving…";
      try {
        await persistently(() => this.send(choice, key));
        this.saved = choice;
        if (mine === this.latest) this.render(choice, detailed, this.thanks(choice, detailed));
      } catch (error) {
        if (mine !== this.latest) return;
        this.render(this.saved, detailed, "Not saved.");
        showFailure(this.failure, error, again);
      }
    };
    this.failure.replaceChildren();
    this.render(choice, detailed, "Saving…");
    again();
  }

  // Why, for the choice that asks for it.
  details(choice) {
    if (choice !== this.explained) return {};
    const fields = new FormData(this.why);
    const comment = fields.get("comment").trim();
    return { reasons: fields.getAll("reasons"), ...(comment && { comment }) };
  }

  render(choice, detailed, sentence) {
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.choice === choice));
    show(this.why, choice === this.explained && !detailed);
    show(this.edit, choice === this.explained && detailed);
    this.state.textContent = sentence;
  }

  thanks(_, detailed) {
    return detailed ? "Details saved." : "Thanks, saved.";
  }
}
