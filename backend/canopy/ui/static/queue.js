// The list beside the text that is reviewed: where one is, how to get elsewhere, and what is selected to be done at once.

import { announce, count, fromTemplate, show, showFailure } from "./browser.js";
import { finders, stateWords } from "./case.js";

const MOST = 100;  // texts in one request
const EXCERPT = 300;  // characters

export class Queue {
  constructor(review) {
    this.review = review;
    const find = (selector) => review.root.querySelector(selector);
    [this.list, this.bulk, this.more, this.select] = ["[data-list]", "[data-bulk]", "[data-more]", "[data-select]"].map(find);
    this.nothing = find("[data-nothing]");
    find("[data-pager]").remove();
    this.selected = new Set();
    this.selecting = false;
    this.more.addEventListener("click", () => review.alone(() => this.readOn()));
    this.select.addEventListener("click", () => this.setSelecting(!this.selecting));
    find("[data-all]").addEventListener("click", () => {
      this.selected = new Set(review.cases.map((it) => it.item));
      this.render();
    });
    for (const button of this.bulk.querySelectorAll("[data-each]")) {
      button.addEventListener("click", () => review.alone(() => this.each(button.dataset.each, this.chosen())));
    }
  }

  setSelecting(selecting) {
    this.selecting = selecting;
    if (!selecting) this.selected.clear();
    this.render();
  }

  toggle(it) {
    if (!it) return;
    this.selecting = true;
    if (!this.selected.delete(it.item)) this.selected.add(it.item);
    this.render();
    announce(`${this.selected.has(it.item) ? "Selected" : "No longer selected"}. ${count(this.selected.size, "text")} selected.`);
  }

  chosen() {
    return this.review.cases.filter((it) => this.selected.has(it.item));
  }

  async readOn() {
    const before = this.review.cases.length;
    await this.review.load();
    this.render();
    const first = this.list.children[before]?.querySelector("a");
    if (first) this.review.focusOn(first);
  }

  // Do the same with several texts; what can't be done says why and stays selected.
  async each(action, items) {
    if (!items.length) return;
    const { review } = this;
    const results = [];
    const known = new Map(review.cases.map((it) => [it.item, it]));
    let noted = false;
    for (let from = 0; from < items.length; from += MOST) {
      const body = { items: items.slice(from, from + MOST).map(({ item, revision }) => ({ item, revision, action })) };
      try {
        results.push(...(await review.done.put(body)).results);
      } catch (error) {
        if (results.length) review.render();  // what is done is done, and the rest stays selected
        throw error;
      }
      const done = results.slice(from).filter((it) => it.status === "ok");
      for (const it of done) this.selected.delete(it.item);
      noted = review.done.note(done.filter((it) => known.has(it.item)).map((it) => [known.get(it.item), it]), noted) || noted;
      if (action === "undo") review.done.leave(items.slice(from + MOST));
    }
    const failed = results.filter((it) => it.status === "error");
    this.selected = new Set(failed.map((it) => it.item));
    for (const it of failed) if (known.has(it.item)) known.get(it.item).read = 0;
    const done = results.length - failed.length;
    await review.open(review.index);
    announce(`${count(done, "text")} ${action === "undo" ? "undone" : "done"}.`);
    if (!failed.length) {
      this.setSelecting(false);
      return;
    }
    const sentence = `${count(failed.length, "text")} of ${results.length.toLocaleString("en")} stayed as they were. ${failed[0].detail}`;
    review.tell(known.get(failed[0].item), { sentence, reference: null });
  }

  render() {
    const { review } = this;
    const hadFocus = this.list.contains(document.activeElement) ? document.activeElement.closest("li")?.dataset.item : null;
    this.list.replaceChildren(...review.cases.map((it, index) => this.itemElement(it, index)));
    if (hadFocus) this.list.querySelector(`[data-item="${CSS.escape(hadFocus)}"] a`)?.focus();
    const current = this.list.querySelector("[aria-current]");
    if (current && this.list.scrollHeight > this.list.clientHeight) {
      this.list.scrollTop = current.offsetTop - this.list.offsetTop - this.list.clientHeight / 3;
    }
    if (this.nothing) show(this.nothing, !review.cases.length);
    show(this.more, review.next);
    show(this.select, review.cases.length);
    this.select.setAttribute("aria-pressed", String(this.selecting));
    show(this.bulk, this.selecting);
    this.bulk.querySelector("[data-selected]").textContent = `${count(this.selected.size, "text")} selected`;
    for (const button of this.bulk.querySelectorAll("[data-each]")) button.disabled = !this.selected.size;
  }

  itemElement(it, index) {
    const { review } = this;
    const element = fromTemplate("item-template");
    element.dataset.item = it.item;
    const link = element.querySelector("a");
    const address = new URL(review.address);
    address.searchParams.set("at", it.item);
    link.href = address;
    if (index === review.index) link.setAttribute("aria-current", "true");
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;  // into a tab of its own
      event.preventDefault();
      review.alone(() => review.open(index));
    });
    link.querySelector(".review-number").textContent = it.position === null ? "" : it.position.toLocaleString("en");
    link.querySelector(".review-excerpt").textContent = it.prompt.slice(0, EXCERPT);
    const written = review.draft(it) === null ? "" : "a draft";
    element.querySelector("[data-facts]").textContent = [it.state === "waiting" ? finders(it) : stateWords(it), written].filter(Boolean).join(" · ");
    element.classList.toggle("done", it.state !== "waiting");
    const pick = element.querySelector(".review-pick");
    show(pick, this.selecting);
    const box = pick.querySelector("input");
    box.checked = this.selected.has(it.item);
    box.addEventListener("change", () => {
      if (box.checked) this.selected.add(it.item); else this.selected.delete(it.item);
      this.render();
      this.list.children[index]?.querySelector("input").focus();
    });
    return element;
  }
}
