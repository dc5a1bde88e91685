// What reviewers did in this tab, so that it can be undone: groups of items with the revision that they have since.

import { kept } from "./browser.js";

const PLACE = "canopy.reviewed";
const MOST = 50;

export function doneHere() {
  try { return JSON.parse(kept.get(PLACE) ?? "[]"); } catch { return []; }
}

export function keepDone(groups) {
  kept.set(PLACE, JSON.stringify(groups.slice(-MOST)));
}
