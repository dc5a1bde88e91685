// What reviewers did in this tab, so that it can be undone: groups of items with the revision that they have since,
// and the draft that was there before.

import { announce, kept, showFailure } from "./browser.js";
import { sentence, undoable } from "./case.js";
import { persistently, request } from "./wire.js";

const PATH = "/feedback/review";
const PLACE = "canopy.reviewed";
const MOST = 50;
const REFUSED = new Set([404, 409, 422]);  // statuses: to ask again would change nothing

function doneHere() {
  try { return JSON.parse(kept.get(PLACE) ?? "[]"); } catch { return []; }
}

function keepDone(groups) {
  kept.set(PLACE, JSON.stringify(groups.slice(-MOST)));
}

export class Done {
  constructor(review) {
    this.review = review;
    this.unanswered = new Set();  // what was asked and may have been done
  }

  // Where an answer got lost, and the same request finds that it is so already, this tab did it: it is its `own`.
  async put(body, about = undefined) {
    const asked = (body.items ?? [body]).map((it) => JSON.stringify(it));
    try {
      const answer = await (await persistently(async () => {
        try {
          return await request(PATH, { method: "PUT", body });
        } catch (error) {
          if (error.passing) for (const it of asked) this.unanswered.add(it);
          throw error;
        }
      })).json();
      for (const [index, outcome] of (answer.results ?? [answer]).entries()) {
        const { action, revision } = (body.items ?? [body])[index];
        const maybe = this.unanswered.delete(asked[index]) && action !== "undo";
        outcome.own = maybe && outcome.outcome === "repeated" && outcome.revision === revision + 1;
      }
      return answer;
    } catch (error) {
      throw Object.assign(error, { about });
    }
  }

  // Note of each item the state and revision that it has now, and in this tab that it can be undone: as a group of its
  // own, or with the last one. Returns whether there is something to undo.
  note(pairs, withLast = false) {
    const { states } = this.review;
    for (const [it, outcome] of pairs) {
      if (states) {
        states[it.state] -= 1;
        states[outcome.state] += 1;
      }
      Object.assign(it, { state: outcome.state, revision: outcome.revision, read: 0 });
    }
    const changed = pairs.filter(([, { outcome, own }]) => own || (outcome !== "repeated" && outcome !== "undone"));
    if (!changed.length) return false;
    const group = changed.map(([it, { revision, draft }]) => ({ item: it.item, revision, draft }));
    const groups = doneHere();
    keepDone(withLast ? [...groups.slice(0, -1), [...groups.at(-1), ...group]] : [...groups, group]);
    return true;
  }

  // The last group's rest is what is left to undo of it.
  leave(rest) {
    keepDone([...doneHere().slice(0, -1), ...(rest.length ? [rest] : [])]);
  }

  // Take the last thing back that was done in this tab; what others did only where somebody says so.
  async undo() {
    const group = doneHere().at(-1);
    if (!group) this.tellNothing();
    else if (group.length > 1) await this.review.queue.each("undo", group);
    else await this.undoOne(group[0]);
  }

  tellNothing() {
    const { review } = this;
    const step = review.shown && undoable(review.shown);
    const whose = step ? ` ${sentence(step)}: “Take back” below it undoes that.` : "";
    showFailure(review.trouble, { sentence: `Nothing was done in this tab that is left to undo.${whose}`, reference: null });
    review.trouble.scrollIntoView({ block: "nearest" });
    announce("There is nothing to undo.");
    if (step) review.case.querySelector("[data-past]").open = true;
  }

  async undoOne({ item, revision, draft }) {
    const { review } = this;
    let [before, outcome] = [null, null];
    try {
      [before] = review.stamped((await review.read({ at: item })).cases);
      const about = review.cases.find((one) => one.item === item) ?? before;
      outcome = await this.put({ item, revision, action: "undo" }, about);
    } catch (error) {
      if (REFUSED.has(error.status)) this.leave([]);
      throw error;
    }
    this.leave([]);
    const written = draft ?? before.expected_result;
    if (written && review.draft(before) === null) review.setDraft(before, written);
    let index = review.cases.findIndex((one) => one.item === item);
    if (index < 0) review.cases.splice(index = Math.min(review.index, review.cases.length), 0, before);
    this.note([[review.cases[index], outcome]]);
    await review.open(index);
    announce(`Undone. ${review.place}`);
  }
}
