// A choice by buttons: saved at once, explained where that is wanted, and changed at will.

import { fromTemplate, randomId, show, showFailure } from "./browser.js";
import { deliver, isForGood, keep, unsentOn, watch } from "./unsent.js";
import { persistently } from "./wire.js";

const TWICE = 500;  // milliseconds between two clicks that are a double one
const LATER = "Will be sent when the line is back.";

// A kind of choice says what a button does (`pick`), what is sent (`message`) and what its answer tells (`received`).
// Buttons, not radio buttons: those choose where the arrow keys only look.
export class Choice {
  // `subject` names what it is about, `known` is what an earlier visit kept of it, and `changed` is called to keep it.
  constructor(template, question, subject, { known = {}, changed = () => {} } = {}) {
    Object.assign(this, { subject, changed, current: null, saved: null, detailed: false, written: false, latest: 0, sending: 0 });
    Object.assign(this, { about: null, others: {}, pressedAt: 0 });
    this.queue = Promise.resolve();
    this.element = fromTemplate(template);
    const find = (selector) => this.element.querySelector(selector);
    this.explained = find("[data-explained]").dataset.choice;  // the one choice that asks why
    [this.why, this.state, this.edit, this.failure] =
      [".why", ".vote-state", "[data-edit]", ":scope > [data-failure]"].map(find);
    this.comment = this.why.querySelector("[name=comment]");
    this.placeholder = this.comment.placeholder;
    this.buttons = [...this.element.querySelectorAll("[data-choice]")];
    find(".vote-question").textContent = question;
    this.element.setAttribute("aria-label", question);
    for (const button of this.buttons) {
      button.addEventListener("click", (event) => {
        const pressed = button.getAttribute("aria-pressed") === "true";
        const [now, last] = [performance.now(), this.pressedAt];
        this.pressedAt = now;
        if (pressed && (event.detail > 1 || now - last < TWICE)) return;  // a double click is one press
        this.pick(button.dataset.choice, pressed);
      });
    }
    this.edit.addEventListener("click", () => {
      show(this.why, true);
      show(this.edit, false);
      this.focusable().focus();
    });
    this.why.addEventListener("input", () => {
      this.written = true;
      this.changed();
    });
    this.why.addEventListener("submit", (event) => {
      event.preventDefault();
      this.edit.hidden = false;
      this.edit.focus();
      this.submit(this.current, true);
    });
    this.why.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
      event.preventDefault();
      this.why.requestSubmit();
    });
    watch(subject, {
      busy: () => this.sending > 0,
      sent: (vote, answer) => this.accept(vote, answer),
      refused: (vote, failure) => this.refuse(vote, failure, () => this.submit(vote.choice, vote.detailed)),
    });
    this.restore(known);
  }

  focusable() {
    return [...this.why.querySelectorAll("input, textarea")].find((it) => it.checkVisibility());
  }

  // One at a time, in order, and of those that wait only the newest: the last choice is the one that counts.
  submit(choice, detailed = false) {
    this.turnTo(choice);
    this.latest += 1;
    const mine = this.latest;
    const message = this.message(choice);
    const vote = keep({ ...message, subject: this.subject, key: randomId(), choice, detailed });
    [this.current, this.written] = [choice, false];
    const again = () => { if (mine === this.latest) this.queue = this.queue.then(attempt); };
    const attempt = async () => {
      if (mine !== this.latest) return;
      this.sending += 1;
      this.state.textContent = "Saving…";
      try {
        const answer = await persistently(() => deliver(vote), navigator.onLine ? 3 : 1);
        if (mine === this.latest) this.accept(vote, answer);
      } catch (error) {
        if (mine === this.latest) this.refuse(vote, error, isForGood(error) ? () => this.submit(choice, detailed) : again);
      } finally {
        this.sending -= 1;
      }
    };
    this.failure.replaceChildren();
    this.render(choice, detailed, "Saving…");
    this.changed();
    again();
  }

  // The server has it.
  accept(vote, answer) {
    const newer = unsentOn(this.subject);
    if (newer && newer.key !== vote.key) return;
    [this.current, this.saved] = [vote.choice, vote.choice];
    this.turnTo(vote.choice);
    this.received(vote.choice, answer);
    this.failure.replaceChildren();
    const said = this.thanks(vote.choice, vote.detailed);
    if (vote.draft && !this.why.hidden) this.state.textContent = said;
    else this.render(vote.choice, vote.detailed, said);
    this.changed();
  }

  refuse(vote, failure, retry) {
    if (isForGood(failure)) {
      this.current = this.saved;
      this.turnTo(this.saved);
      this.render(this.saved, vote.detailed, "Not saved.");
      showFailure(this.failure, failure, retry);
    } else {
      this.render(vote.choice, vote.detailed, failure.status ? "Not sent yet." : LATER);
      if (failure.status) showFailure(this.failure, failure, retry);
    }
    this.changed();
  }

  // What was typed goes with the vote when the page is left, or is out of sight (`draft`): nobody knows whether it comes
  // back, and if it does, the typing goes on.
  leave({ draft = false } = {}) {
    if (!this.written || this.current === null) return;
    this.written = false;
    this.detailed = !draft;
    const said = { choice: this.current, detailed: !draft, draft };
    const vote = keep({ ...this.message(this.current), ...said, subject: this.subject, key: randomId() });
    const sent = deliver(vote, { keepalive: true }).then((answer) => this.accept(vote, answer), () => {});
    this.queue = Promise.all([this.queue, sent]);
  }

  // Why, for the choice that asks for it; a comment for all.
  details(choice) {
    const { reasons, comment, suggestion } = this.fields();
    const asked = choice === this.explained;
    return {
      ...(asked && { reasons }),
      ...(comment.trim() && { comment: comment.trim() }),
      ...(asked && suggestion.trim() && { suggestion: suggestion.trim() }),
    };
  }

  // What was written is about the choice that it was written for: another one begins with empty fields, and finds what it
  // had when it comes back.
  turnTo(choice) {
    if (choice === null || choice === this.about) return;
    if (this.about !== null) this.others[this.about] = this.fields();
    this.about = choice;
    this.fill(this.others[choice] ?? {});
    delete this.others[choice];
  }

  fill({ reasons = [], comment = "", suggestion = "" }) {
    for (const box of this.why.querySelectorAll("[name=reasons]")) box.checked = reasons.includes(box.value);
    this.comment.value = comment;
    const suggested = this.why.querySelector("[name=suggestion]");
    if (suggested) suggested.value = suggestion;
  }

  // The buttons of the other choices that something was written for.
  get elsewhere() {
    const said = (it) => it && (it.reasons.length || it.comment.trim() || it.suggestion.trim());
    return this.buttons.filter((button) => said(this.others[button.dataset.choice]));
  }

  // What the voter is told of it.
  get apart() {
    const names = this.elsewhere.map((button) => `“${button.querySelector("span").textContent}”`);
    return names.length ? ` What you wrote for ${names.join(" and ")} is not part of it.` : "";
  }

  fields() {
    const fields = new FormData(this.why);
    return {
      reasons: fields.getAll("reasons"),
      comment: fields.get("comment"),
      suggestion: fields.get("suggestion") ?? "",
    };
  }

  // What to keep of it for a later visit.
  record() {
    const { current, saved, detailed, written, about, others } = this;
    return { choice: current, saved, detailed, written, about, others, ...this.fields() };
  }

  restore({ choice = null, saved = null, detailed = false, written = false, about = choice, others = {}, ...fields }) {
    Object.assign(this, { about, others });
    this.fill(fields);
    const unsent = unsentOn(this.subject);
    [this.current, this.saved, this.written] = [unsent ? unsent.choice : choice, saved, written];
    this.turnTo(this.current);
    if (this.current === null && !unsent) return;
    const sentence = unsent ? (navigator.onLine ? "Saving…" : LATER) : this.thanks(this.current, false);
    this.render(this.current, detailed || (unsent?.detailed ?? false), sentence);
  }

  render(choice, detailed, sentence) {
    const asked = choice === this.explained;
    this.detailed = detailed;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.choice === choice));
    for (const part of this.why.querySelectorAll("[data-asked]")) show(part, asked);
    this.comment.placeholder = asked ? this.placeholder : "What made it so?";
    const open = !detailed && (asked || (choice !== null && this.elsewhere.length > 0));
    show(this.why, open);
    show(this.edit, choice !== null && !open);
    this.edit.textContent = detailed ? "Edit details" : "Say why";
    this.state.textContent = sentence;
    this.element.classList.toggle("chosen", choice !== null);
  }

  received() {}

  thanks(_, detailed) {
    return detailed ? "Details saved." : `Thanks, saved.${this.apart}`;
  }
}
