// The review: one text at a time, said at once, by mouse or by keyboard; beside it the list, to do several at once.

import { announce, bringUp, kept, show, showFailure } from "./browser.js";
import { leftWords, renderCase } from "./case.js";
import { Done } from "./done.js";
import { Keys, WRITING } from "./keys.js";
import { Queue } from "./queue.js";
import { persistently, request } from "./wire.js";

const PAGE = 50;  // texts in one request, to read what is before one
const MOST_ABOVE = 1_000;  // texts that are read for that
const OLD = 30_000;  // milliseconds after which a text is read again before it is shown

const DID = {
  fine: "The answer is fine", dismissed: "Dismissed", reopened: "It waits again", judge_wrong: "The judge is wrong",
  undone: "Undone", created: "Saved", replaced: "Saved", deleted: "Taken back", repeated: "It was so already", own: "Done",
};

class Review {
  constructor(root) {
    this.root = root;
    const find = (selector) => root.querySelector(selector);
    [this.case, this.end, this.trouble] = ["[data-case]", "[data-end]", "[data-trouble]"].map(find);
    this.missing = document.querySelector("[data-missing]");  // above the text that is shown instead
    this.form = this.case.querySelector("form");
    this.field = this.form.querySelector("textarea");
    this.ratings = JSON.parse(root.dataset.ratings);  // in words; labels of one's own are their names
    this.features = JSON.parse(root.dataset.features);
    this.address = new URL(root.dataset.address, location.href);
    this.several = "several" in root.dataset;
    this.busy = this.entering = false;
    this.shownAt = 0;  // when a text came into sight, on the clock of events
    this.done = new Done(this);
    this.queue = new Queue(this);
    this.keys = new Keys(this);
    const commands = {
      back: () => this.go(-1), next: () => this.go(1), undo: () => this.done.undo(), "take-back": () => this.takeBack(), again: () => this.start(""),
      fine: () => this.act("fine"), dismiss: () => this.act("dismiss"), reopen: () => this.act("reopen"),
    };
    for (const button of root.querySelectorAll("[data-do]")) {
      const work = commands[button.dataset.do];
      if (work) button.addEventListener("click", () => this.alone(work));
    }
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.alone(() => this.save(this.field.value));
    });
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing) this.heading.focus();
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.form.requestSubmit();
    });
    this.field.addEventListener("input", () => this.keepDraft());
    root.addEventListener("focusin", ({ target }) => { if (this.busy && target.matches(WRITING)) this.entered = target; });
    this.alone(() => this.start(new URL(location.href).searchParams.get("at") ?? ""));
  }

  get shown() { return this.cases[this.index]; }
  get heading() { return this.case.querySelector("[data-place]"); }

  // One thing at a time; what fails says so, and can be tried again. What comes meanwhile is dropped: it was meant for
  // the text that is shown.
  alone(work) {
    if (!this.busy) this.current = this.run(work);
    return this.current;
  }

  // A step comes after what is under way, so that two quick ones are two.
  async inTurn(work) {
    while (this.busy) await this.current;
    return this.alone(work);
  }

  // To write comes after what is under way, too: it may bring another text.
  async enter() {
    if (this.entering) return;
    this.entering = true;
    while (this.busy) await this.current.catch(() => {});
    this.entering = false;
    if (this.shown) this.edit();
  }

  // Go to a place, unless somebody went into a field to write there meanwhile.
  focusOn(place, options = {}) {
    const { activeElement } = document;
    const writes = this.entered && activeElement === this.entered && activeElement.checkVisibility();
    if (!writes) place.focus(options);
    return !writes;
  }

  async run(work) {
    this.busy = this.field.readOnly = true;
    this.entered = null;
    for (const place of document.querySelectorAll("[data-failure], [data-trouble], [data-missing]")) place.replaceChildren();
    try {
      await work();
    } catch (error) {
      await this.fail(error, work);
    } finally {
      this.busy = this.field.readOnly = false;
    }
  }

  async fail(error, work) {
    if (!error.sentence) throw error;
    const { about = this.shown } = error;
    const again = error.code === "review_conflict" || error.status === 404 || error.status === 422;
    if (error.code === "review_conflict") await this.readAgain(about).then(() => this.render(), () => {});
    if (about !== this.shown) {
      this.tell(about, error, again ? null : () => this.alone(work));
      return;
    }
    const place = this.shown ? this.case.querySelector("[data-failure]") : this.trouble;
    showFailure(place, error, again ? null : () => this.alone(work));
    if (this.focusOn(again ? this.heading : place.querySelector("button, a"), { preventScroll: true })) place.scrollIntoView({ block: "nearest" });
  }

  // Say what failed with a text that isn't the one that is shown, by its name and with the way to it.
  tell(it, error, retry = null) {
    showFailure(this.trouble, error, retry);
    if (it) {
      const address = new URL(this.address);
      address.searchParams.set("at", it.item);
      const link = Object.assign(document.createElement("a"), { href: address, textContent: `“${it.prompt.slice(0, 60)}”` });
      this.trouble.querySelector("[data-sentence]").append(" It is about ", link, ".");
    }
    this.trouble.scrollIntoView({ block: "nearest" });
  }

  // Begin with the worst, or with one item, wherever it is.
  async start(at) {
    Object.assign(this, { cases: [], next: "", index: 0, middle: false, states: null, all: null });
    await this.load();
    this.total = this.states && (this.state === "all" ? this.all : this.states[this.state]);
    let found = this.cases.findIndex((it) => it.item === at);
    if (at && found < 0) {
      try {
        const page = await this.read({ at });
        found = this.cases.findIndex((it) => it.item === page.cases[0].item);  // where a vote on it was named
        if (found < 0) Object.assign(this, { cases: this.stamped(page.cases), next: page.next, middle: true });
      } catch (error) {
        const gone = error.status === 404 || error.status === 422;
        const sentence = "No text is at this address: the votes on it may have been taken back. Here are those that there are.";
        showFailure(this.missing, gone ? { sentence, reference: null } : error);
      }
    }
    this.index = Math.max(found, 0);
    this.render();
    if (this.missing.hasChildNodes()) bringUp(this.missing);
  }

  get state() { return this.address.searchParams.get("state") ?? "waiting"; }

  async read(parameters) {
    const address = new URL(this.address);
    for (const [name, value] of Object.entries(parameters)) if (value) address.searchParams.set(name, value);
    const headers = { Accept: "application/json" };
    const page = await (await persistently(() => request(address, { method: "GET", headers }))).json();
    if (page.states) Object.assign(this, { states: page.states, all: page.total });  // of a narrowed list the first page's
    return page;
  }

  stamped(cases) { return cases.map((it) => ({ ...it, read: Date.now() })); }

  // Read on. A page may be empty and yet have a next one.
  async load(limit = "") {
    const before = this.cases.length;
    do {
      const page = await this.read({ after: this.next, limit });
      this.cases.push(...this.stamped(page.cases));
      this.next = page.next;
    } while (this.next && this.cases.length === before);
  }

  // Read an item again; its number in this list stays.
  async readAgain(it) {
    const [now] = (await this.read({ at: it.item })).cases;
    Object.assign(it, now, { position: it.position, read: Date.now() });
  }

  async go(step) {
    await this.open(this.index + step);
  }

  async open(index) {
    if (index < 0) {
      if (this.middle) await this.comeFromAbove();
      return;
    }
    while (index >= this.cases.length && this.next) await this.load();
    this.index = Math.min(index, this.cases.length);
    const it = this.shown;
    if (it && Date.now() - it.read > OLD) {
      await this.readAgain(it).catch((error) => { if (error.status !== 404) throw error; });
    }
    this.render();
    const place = it ? this.heading : this.end.querySelector("[data-outcome]");
    if (this.focusOn(place, { preventScroll: true })) bringUp(it ? this.case : this.end);
  }

  // The list began with one text of its middle: read what is before it, and go to the text before.
  async comeFromAbove() {
    const [{ item, position }] = this.cases;
    if (position === null || position > MOST_ABOVE) {
      await this.start("");
      return;
    }
    Object.assign(this, { cases: [], next: "", middle: false });
    let found = -1;
    do {
      await this.load(PAGE);
      found = this.cases.findIndex((it) => it.item === item);
    } while (found < 0 && this.next && this.cases.length < position);
    await this.open(Math.max(0, (found < 0 ? position - 1 : found) - 1));
  }

  // Say something about the text that is shown, and go on to the next one unless it still waits.
  async act(action, body = {}) {
    const it = this.shown;
    if (!it) return;
    const named = body.feedback_id ? {} : { item: it.item };
    const outcome = await this.done.put({ ...named, action, revision: it.revision, ...body }, it);
    const draft = body.expected_result === undefined ? null : this.draft(it);
    if (draft !== null) {  // it is saved, or others' words were taken instead: to undo that brings it back
      this.forgetDraft(it);
      outcome.draft = draft;
    }
    this.done.note([[it, outcome]]);
    const left = outcome.state !== "waiting" || action === "expected_result";
    if (left) await this.go(1);
    else await this.open(this.index);
    announce(`${DID[outcome.own ? "own" : outcome.outcome]}. ${this.place}`);
  }

  async save(text) {
    const it = this.shown;
    const expected = text.trim();
    if (!expected) {
      this.field.setCustomValidity("Write what it should have said, or press another button.");
      this.field.reportValidity();
      return;
    }
    if (expected === it.expected_result) {
      this.forgetDraft(it);
      await this.go(1);
      return;
    }
    await this.act("expected_result", { expected_result: expected });
  }

  async takeBack() {
    const it = this.shown;
    const { item, revision } = it;
    this.done.note([[it, await this.done.put({ item, revision, action: "undo" }, it)]]);
    await this.open(this.index);
    announce(`Undone. ${this.place}`);
  }

  draft(it) { return kept.get(`canopy.draft:${it.item}`); }
  setDraft(it, text) { kept.set(`canopy.draft:${it.item}`, text); }
  forgetDraft(it) { kept.remove(`canopy.draft:${it.item}`); }

  keepDraft() {
    const [it, text] = [this.shown, this.field.value];
    this.field.setCustomValidity("");
    if (text.trim() && text !== it.expected_result) this.setDraft(it, text); else this.forgetDraft(it);
  }

  wouldReplace(text) {
    const written = this.field.value.trim();
    return Boolean(written) && written !== this.shown.expected_result && written !== text.trim();
  }

  edit(text) {
    if (text !== undefined) {
      this.field.value = text;
      this.keepDraft();
    }
    this.field.focus();
  }

  get place() {
    const it = this.shown;
    if (!it) return "";
    if (it.position === null) return "One text";
    const number = it.position.toLocaleString("en");
    return this.total ? `${number} of ${Math.max(this.total, it.position).toLocaleString("en")}` : `Text ${number}`;
  }

  render() {
    const it = this.shown;
    show(this.case, it);
    show(this.end, !it);
    const address = new URL(this.address);
    if (it) address.searchParams.set("at", it.item);
    history.replaceState(null, "", address);
    this.shownAt = performance.now();
    if (it) {
      renderCase(this, it);
      this.field.value = this.draft(it) ?? it.expected_result;
      this.field.setCustomValidity("");
      for (const place of this.case.querySelectorAll(".scroll")) place.scrollTop = 0;
    } else this.renderEnd();
    for (const button of this.root.querySelectorAll("[data-do=back]")) button.disabled = this.index === 0 && !this.middle;
    this.renderCounts();
    this.queue.render();
  }

  renderCounts() {
    for (const link of document.querySelectorAll("[data-state]")) {
      const number = link.querySelector("[data-n]");
      const { state } = link.dataset;
      if (number && this.states) number.textContent = (state === "all" ? this.all : this.states[state]).toLocaleString("en");
    }
  }

  renderEnd() {
    const { waiting } = this.root.dataset;  // in all, where a filter is set
    this.end.querySelector("[data-outcome]").textContent = this.cases.length ? "That was all" : "Nothing is here";
    this.end.querySelector("[data-left]").textContent = leftWords(this.states?.waiting, waiting);
    show(this.end.querySelector("[data-unfiltered]"), waiting);
  }
}

const root = document.getElementById("review");
if (root) new Review(root);
