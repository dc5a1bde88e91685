// The last conversation of a feature, kept in this tab: it is there again after a reload and a visit elsewhere.

import { kept } from "./browser.js";

const MOST_CHARS = 1_500_000;  // of JSON: browsers keep some five million for all pages of a site
const FORM = 1;  // of what is kept: another version's is not read

export class Conversation {
  constructor(endpoint) {
    this.key = `canopy.conversation:${endpoint}`;
  }

  load() {
    try {
      const found = JSON.parse(kept.get(this.key));
      return found?.form === FORM && found.turns.length ? found : null;
    } catch {
      return null;
    }
  }

  // The first turn is what all others are about; where it gets too long, the oldest of the others go.
  save(asked, turns) {
    const [first, ...rest] = turns;
    if (!first) {
      this.clear();
      return;
    }
    for (let from = 0; from <= rest.length; from += 1) {
      const text = JSON.stringify({ form: FORM, asked, turns: [first, ...rest.slice(from)] });
      if (text.length <= MOST_CHARS) {
        kept.set(this.key, text);
        return;
      }
    }
    this.clear();
  }

  clear() {
    kept.remove(this.key);
  }
}
