// Shows one text to review: its answers, who found them bad, what judges and voters say, and what reviewers did.

import { announce, count, fromTemplate, show } from "./browser.js";

const STATES = { waiting: "It waits", expected: "Written", fine: "The answer is fine", dismissed: "Dismissed" };
const STEPS = {
  expected_result: "wrote what it should have said",
  fine: "found the answer fine",
  dismiss: "dismissed it",
  reopen: "let it wait again",
  judge_wrong: "said that a judge is wrong",
  undo: "undid what was done last",
};
const [EDIT, REPLACE] = ["Edit it first", "Replace what you wrote"];  // a button's words
const SIGNS = { positive: "[data-up]", neutral: "[data-neutral]", negative: "[data-down]" };
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const utc = (timestamp) => `${timestamp.slice(0, 16).replace("T", " ")} UTC`;

export function inWords(name) {
  const words = String(name).replaceAll(/[_-]/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function ago(timestamp) {
  const seconds = (Date.parse(timestamp) - Date.now()) / 1000;
  const [unit, length] = UNITS.find(([, length]) => -seconds >= length) ?? [null, 1];
  return unit ? relative.format(Math.round(seconds / length), unit) : "just now";
}

export function stateWords(it) {
  return STATES[it.state];
}

// Who finds it bad, in words. Votes are counted, and one person may have several on the answers to a text.
export function finders(it) {
  const parts = [it.people && (it.people === 1 ? "1 bad vote" : `${it.people.toLocaleString("en")} bad votes`), it.judges && (it.judges === 1 ? "a judge's label" : `${it.judges.toLocaleString("en")} labels of judges`)];
  return parts.filter(Boolean).join(" and ") || "no bad vote any more";
}

// How many texts are left, in words. `inAll` is the number of those that wait, where a filter is set.
export function leftWords(waits, inAll) {
  const wait = (n) => (n === 1 ? "waits" : "wait");
  if (inAll !== undefined && !waits) {
    return `None of the texts that match waits for a review; ${Number(inAll).toLocaleString("en")} ${wait(Number(inAll))} in all.`;
  }
  if (waits === undefined) return "";
  return waits === 0 ? "No text waits for a review." : `${count(waits, "text")} ${wait(waits)} for a review.`;
}

function put(element, selector, text) {
  const place = element.querySelector(selector);
  place.textContent = text ?? "";
  show(place, text);
  return place;
}

function verdictElement(sentiment, said, by, { reasons = [], comment = null }) {
  const element = fromTemplate("verdict-template");
  element.querySelector(".face").classList.add(sentiment);
  for (const [name, selector] of Object.entries(SIGNS)) show(element.querySelector(selector), name === sentiment);
  put(element, "[data-said]", said);
  put(element, "[data-by]", by);
  put(element, "[data-comment]", comment).classList.add(sentiment);
  element.querySelector("[data-reasons]").append(...reasons.map((reason) => {
    return Object.assign(document.createElement("span"), { className: `tag ${sentiment}`, textContent: inWords(reason) });
  }));
  return element;
}

function labelElement(review, label) {
  const said = `${inWords(label.judge)}: ${inWords(label.label)}`;
  const element = verdictElement(label.sentiment, said, label.model ? `a judge, ${label.model}` : "a judge", { comment: label.rationale });
  const button = element.querySelector("[data-wrong]");
  if (label.wrong) {
    button.textContent = "A reviewer says: the judge is wrong";
    button.disabled = true;
    button.setAttribute("aria-pressed", "true");
  } else {
    button.addEventListener("click", () => review.alone(() => review.act("judge_wrong", { feedback_id: label.id })));
  }
  return element;
}

// Each response once, with everything that was said about it.
function responses(it) {
  const found = new Map();
  for (const answer of it.answers) {
    const key = answer.generation_id ?? answer.response_text;
    if (!found.has(key)) found.set(key, { text: answer.response_text, votes: [], labels: new Map() });
    const response = found.get(key);
    for (const label of answer.judgements) response.labels.set(label.id, label);
    if (answer.source !== "LLM_JUDGE") {
      response.votes.push(answer);
    } else if (!response.labels.has(answer.feedback_id)) {
      const label = { id: answer.feedback_id, judge: answer.name, label: answer.rating, sentiment: "negative", rationale: answer.comment };
      response.labels.set(answer.feedback_id, label);
    }
  }
  return [...found.values()];
}

// The answer first, with what was said of it in a box of its own.
function responseElement(review, response) {
  const element = fromTemplate("answer-template");
  const votes = response.votes.map((vote) => {
    const element = verdictElement("negative", review.ratings[vote.rating] ?? inWords(vote.rating), `a person, ${ago(vote.timestamp)}`, vote);
    element.querySelector("[data-wrong]").remove();
    return element;
  });
  const labels = [...response.labels.values()].map((label) => labelElement(review, label));
  element.querySelector("[data-verdicts]").append(...votes, ...labels);
  element.querySelector("[data-response]").textContent = response.text;
  return element;
}

function suggestionElement(review, it, suggestion) {
  const element = fromTemplate("suggestion-template");
  element.querySelector("[data-words]").textContent = suggestion.text;
  if (it.expected_result === suggestion.text.trim()) {
    element.querySelector("[data-whose]").textContent = "A voter's words, which a reviewer has taken";
    element.querySelector(".buttons").remove();
    return element;
  }
  element.querySelector("[data-take]").addEventListener("click", () => review.alone(() => review.save(suggestion.text)));
  element.querySelector("[data-edit]").addEventListener("click", ({ currentTarget }) => {
    if (review.busy) return;
    const asked = currentTarget.textContent === REPLACE;
    if (asked || !review.wouldReplace(suggestion.text)) {
      currentTarget.textContent = EDIT;
      review.edit(suggestion.text);
    } else {
      currentTarget.textContent = REPLACE;
      announce("You have written something else. Press again to replace it.");
    }
  });
  return element;
}

// The newest step that can be undone.
export function undoable(it) {
  return it.history.find((step) => step.action !== "undo" && !step.undone);
}

export function sentence(step) {
  return `${step.reviewer ?? "A reviewer"} ${STEPS[step.action]}, ${ago(step.timestamp)}`;
}

function stepElement(step) {
  const element = document.createElement("li");
  const words = Object.assign(document.createElement(step.undone ? "s" : "span"), { textContent: sentence(step) });
  element.append(words, step.undone ? " (undone)" : "");
  element.title = utc(step.timestamp);
  return element;
}

// What is saved, beside a draft that differs: to save that replaces somebody's words.
function renderSaved(review, it) {
  const find = (selector) => review.case.querySelector(selector);
  const draft = review.draft(it);
  const differs = it.expected_result && draft !== null && draft.trim() !== it.expected_result;
  for (const selector of ["[data-saved]", "[data-replace]"]) show(find(selector), differs);
  show(find("[data-save]"), !differs);
  const step = it.history.find((one) => one.action === "expected_result" && !one.undone);
  find("[data-saved-by]").textContent = step ? sentence(step) : "";
  find("[data-saved-words]").textContent = it.expected_result;
}

export function renderCase(review, it) {
  const find = (selector) => review.case.querySelector(selector);
  find("[data-place]").textContent = review.place;
  const pill = find("[data-state-words]");
  pill.textContent = stateWords(it);
  pill.classList.toggle("positive", it.state === "fine" || it.state === "expected");
  const feature = review.several ? `${review.features[it.feature] ?? inWords(it.feature)}. ` : "";
  find("[data-facts]").textContent = `${feature}${finders(it)}, the newest ${ago(it.timestamp)}`;
  find("[data-facts]").title = utc(it.timestamp);
  find("[data-prompt]").textContent = it.prompt;
  const [first, ...others] = responses(it).map((response) => responseElement(review, response));
  find("[data-answers]").replaceChildren(...(first ? [first] : []));
  find("[data-other-answers]").replaceChildren(...others);
  find("[data-more-answers]").open = false;
  show(find("[data-more-answers]"), others.length);
  find("[data-how-many]").textContent = others.length === 1 ? "One more answer" : `${others.length} more answers`;
  find("[data-suggestions]").replaceChildren(...it.suggestions.map((one) => suggestionElement(review, it, one)));
  show(find("[data-suggested]"), it.suggestions.length);
  show(find("[data-do=fine]"), it.state !== "fine");
  show(find("[data-do=dismiss]"), it.state !== "dismissed");
  show(find("[data-do=reopen]"), it.state !== "waiting");
  show(find("[data-past]"), it.history.length);
  if (it.history.length) find("[data-last]").textContent = sentence(it.history[0]);
  const step = undoable(it);
  show(find("[data-do=take-back]"), step);
  if (step) find("[data-step]").textContent = `${step.reviewer ?? "A reviewer"} ${STEPS[step.action]}`;
  find("[data-history]").replaceChildren(...it.history.map(stepElement));
  renderSaved(review, it);
  find("[data-link]").href = location.href;
  find("[data-entry]").href = `/feedback/${encodeURIComponent(it.feedback_id)}`;
}
