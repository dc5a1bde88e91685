// Votes that the server doesn't have yet: kept for all tabs until it has them, sent again whenever the line may be back.

import { keptForAllTabs, who } from "./browser.js";
import { request } from "./wire.js";

const PLACE = "canopy.votes";
const MOST = 200;  // votes; the oldest go first
const LIFETIME = 7 * 24 * 3_600_000;  // milliseconds
const PAUSES = [2, 5, 10, 30, 60];  // seconds between tries
const NOT_FOR_GOOD = new Set([401, 408, 425, 429]);  // sign in again, or wait

const watchers = new Map();  // by subject, what on this page wants to know what became of a vote
let [sending, timer, failures] = [null, null, 0];

function all() {
  try {
    const found = JSON.parse(keptForAllTabs.get(PLACE) ?? "[]");
    return found.filter((it) => it.subject && Date.now() - it.at < LIFETIME);
  } catch {
    return [];
  }
}

function store(votes) {
  if (votes.length) keptForAllTabs.set(PLACE, JSON.stringify(votes.slice(-MOST)));
  else keptForAllTabs.remove(PLACE);
}

export const isForGood = (failure) => !failure.passing && !NOT_FOR_GOOD.has(failure.status);

// A vote: its `subject`, of which only the newest counts, `path`, `body` and `key`; with `takeBack` it is deleted, by its
// `id` or by the one that sending it once more tells. Returns it as it is kept.
export function keep(vote) {
  const whole = { ...vote, who: who(), at: Date.now() };
  store([...all().filter((it) => it.subject !== vote.subject || it.who !== whole.who), whole]);
  return whole;
}

export function unsentOn(subject) {
  return all().find((it) => it.subject === subject && it.who === who()) ?? null;
}

function drop(vote) {
  store(all().filter((it) => it.key !== vote.key));
}

export function forgetUnsent() {
  store(all().filter((it) => it.who !== who()));
}

// `sent` gets the vote and the server's answer, `refused` the vote and the failure.
export function watch(subject, watcher) {
  watchers.set(subject, watcher);
}

// Send a vote once. It stays kept unless the server has it, or refuses it for good.
export async function deliver(vote, { keepalive = false } = {}) {
  try {
    let answer = {};
    const options = { keepalive, headers: { "Idempotency-Key": vote.key } };
    if (!vote.takeBack || !vote.id) answer = await (await request(vote.path, { ...options, body: vote.body })).json();
    if (vote.takeBack) {
      const id = encodeURIComponent(vote.id ?? answer.feedback_id);
      await request(`${vote.path}/${id}`, { keepalive, method: "DELETE" }).catch((error) => {
        if (error.status !== 404) throw error;  // gone already is what was wanted
      });
    }
    drop(vote);
    return answer;
  } catch (error) {
    if (error.status === 404 && vote.early && Date.now() - vote.at < 10_000) error.passing = true;
    if (isForGood(error)) drop(vote);
    else later();
    throw error;
  }
}

// Send all that waits, one after the other; ends when all are sent or the line is down.
export function sendUnsent() {
  sending ??= flush().finally(() => { sending = null; });
  return sending;
}

async function flush() {
  clearTimeout(timer);
  for (const vote of all().filter((it) => it.who === who())) {
    const watcher = watchers.get(vote.subject);
    if (watcher?.busy()) continue;  // it is being sent
    try {
      const answer = await deliver(vote);
      watcher?.sent(vote, answer);
    } catch (failure) {
      if (!isForGood(failure)) return;
      watcher?.refused(vote, failure);
      if (!watcher) watchers.get("")?.refused(vote, failure);
    }
  }
  failures = 0;
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(sendUnsent, PAUSES[Math.min(failures, PAUSES.length - 1)] * 1000);
  failures += 1;
}

export function beginSending() {
  for (const event of ["online", "pageshow"]) {
    window.addEventListener(event, () => {
      failures = 0;
      sendUnsent();
    });
  }
  sendUnsent();
}
