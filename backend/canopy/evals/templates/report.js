// Filters of the report. Without a script the page shows every case, and opening one needs none.
const filters = document.querySelector("form");
const entries = [...document.querySelectorAll("details.entry")];
const words = new Map(); // what each case says, from the first search on

function normalized(text) {
  return text.normalize("NFKC").toLocaleLowerCase();
}

function says(entry, text) {
  if (!words.has(entry)) words.set(entry, normalized(entry.textContent));
  return words.get(entry).includes(text);
}

function apply() {
  const wanted = Object.fromEntries(new FormData(filters));
  const text = normalized(wanted.text.trim());
  let shown = 0;
  for (const entry of entries) {
    const { status, change, file, scorers } = entry.dataset;
    const fits =
      (!wanted.status || status === wanted.status) &&
      (!wanted.change || change === wanted.change) &&
      (!wanted.file || file === wanted.file) &&
      (!wanted.scorer || scorers.split(" ").includes(wanted.scorer)) &&
      (!text || says(entry, text));
    entry.hidden = !fits;
    shown += fits;
  }
  document.querySelector("#count").textContent = shown === entries.length ? shown : `${shown} of ${entries.length}`;
  document.querySelector("#nothing").hidden = shown > 0;
  document.body.classList.toggle("unmarked", !wanted.marks);
}

function openNamed() {
  const entry = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!entry?.matches("details.entry")) return;
  entry.open = true;
  entry.scrollIntoView();
}

function fold(open) {
  for (const entry of entries) if (!entry.hidden) entry.open = open;
}

if (filters) {
  for (const tool of document.querySelectorAll("[data-tool]")) tool.hidden = false;
  filters.addEventListener("input", apply);
  filters.addEventListener("submit", (event) => event.preventDefault());
  document.querySelector("[data-unfold]").addEventListener("click", () => fold(true));
  document.querySelector("[data-fold]").addEventListener("click", () => fold(false));
  addEventListener("hashchange", openNamed);
  apply(); // a browser that goes back keeps what was typed
  openNamed();
}
