// Keys of one letter, for whoever reviews by keyboard alone. They do nothing while one writes, and can be switched off.

import { announce, keptForAllTabs } from "./browser.js";

const PLACE = "canopy.keys";
export const WRITING = "input:not([type=checkbox]), textarea, select, [contenteditable]";

// These wait for what is under way, or change nothing. Any other is about the text that is shown, which has to be there.
const MEANWHILE = new Set(["j", "k", "u", "e", "?"]);

export class Keys {
  constructor(review) {
    this.help = document.getElementById("review-help");
    const box = this.help.querySelector("[data-keys]");
    const apply = () => review.root.classList.toggle("no-keys", !box.checked);
    box.checked = keptForAllTabs.get(PLACE) !== "off";
    apply();
    box.addEventListener("change", () => {
      if (box.checked) keptForAllTabs.remove(PLACE); else keptForAllTabs.set(PLACE, "off");
      apply();
    });
    const press = (name) => () => {
      const button = review.case.querySelector(name);
      if (button && !button.disabled && button.checkVisibility()) button.click();
    };
    // What is said about several where some are selected, and else about the text that is shown.
    const say = (action, name) => () => {
      const { queue } = review;
      if (queue.selected.size) queue.bulk.querySelector(`[data-each=${action}]`).click(); else press(name)();
    };
    const commands = {
      j: () => review.inTurn(() => review.go(1)),
      k: () => review.inTurn(() => review.go(-1)),
      u: () => review.inTurn(() => review.done.undo()),
      x: () => review.queue.toggle(review.shown),
      e: () => review.enter(),
      t: press("[data-take]"),
      f: say("fine", "[data-do=fine]"),
      d: say("dismiss", "[data-do=dismiss]"),
      w: say("judge_wrong", "[data-wrong]:not([disabled])"),
      r: say("reopen", "[data-do=reopen]"),
      "?": () => this.help.showModal(),
    };
    review.root.querySelector("[data-do=help]").addEventListener("click", commands["?"]);
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing || event.defaultPrevented) return;
      if (!box.checked || this.help.open || event.target.closest?.(WRITING)) return;
      if (event.key === "Escape" && review.queue.selecting) {
        review.queue.setSelecting(false);
        announce("Nothing is selected any more.");
        return;
      }
      const letter = event.key.toLowerCase();
      if (!Object.hasOwn(commands, letter)) return;
      event.preventDefault();
      if (review.entering) return;  // what follows an "e" is meant for the field
      if (!MEANWHILE.has(letter) && (review.busy || event.timeStamp < review.shownAt)) return;
      commands[letter]();
    });
  }
}
