// How long an answer takes: seconds from the third on, "still working" once at the fifteenth, and the tab's title.

import { announce, count } from "./browser.js";

const TITLE = document.title;
const [SHOWN_FROM, STILL_FROM] = [3, 15];  // seconds
const put = (words) => { document.title = words ? `${words} · Canopy` : TITLE; };
let current = null;  // whose words the title has
let marked = false;  // whether the title tells of an end that nobody may have seen

for (const event of ["keydown", "pointerdown", "focus"]) {
  window.addEventListener(event, () => {
    if (marked) put("");
    marked = false;
  });
}

export class Waiting {
  // `doing` is what goes on, such as "Summarizing"; `shown` gets the seconds, as words, or "".
  constructor(doing, shown) {
    Object.assign(this, { doing, shown, began: performance.now(), told: false });
    [current, marked] = [this, false];
    put(`${doing}…`);
    this.timer = setInterval(() => this.tick(), 1000);
  }

  tick() {
    const seconds = Math.floor((performance.now() - this.began) / 1000);
    if (seconds < SHOWN_FROM) return;
    put(`${this.doing}… ${seconds} s`);
    this.shown(seconds < STILL_FROM ? `${seconds} s` : `still working, ${seconds} s`);
    if (seconds < STILL_FROM || this.told) return;
    this.told = true;
    announce(`Still working after ${count(seconds, "second")}.`);
  }

  end(words) {
    clearInterval(this.timer);
    put(words);
    marked = true;
  }

  // It is put away, perhaps for something else, which has the title then.
  drop() {
    clearInterval(this.timer);
    if (current === this) put("");
  }
}
