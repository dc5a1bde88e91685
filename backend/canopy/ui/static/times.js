// Times in the browser's own time zone, or in UTC as the server writes them, which stays in their titles.

const FORM = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

let own = true;
let format = null;  // which takes longer to make than the rest of a page: it comes after the first paint
let zone = "";
let isUtc = false;

function begin() {
  if (format) return;
  format = new Intl.DateTimeFormat("en", FORM);
  zone = format.resolvedOptions().timeZone.replaceAll("_", " ");
  isUtc = /^(Etc\/)?(UTC|UCT|GMT|Zulu|Universal|Greenwich)$/.test(zone);
}

function inWords(moment) {
  const part = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, value]));
  return `${part.day} ${part.month} ${part.year}, ${part.hour}:${part.minute}`;
}

export function showLocalTimes(root = document) {
  begin();
  if (isUtc) return; // and each says so
  for (const time of root.querySelectorAll("time[datetime][title]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.valueOf())) time.textContent = own ? inWords(moment) : time.title;
  }
}

// Where times stand, says whose they are. Titles need a pointer; the button needs none.
function nameTheZone(note) {
  const words = document.createElement("span");
  const other = document.createElement("button");
  other.type = "button";
  other.className = "link small";
  const say = () => {
    words.textContent = `Times in ${own ? zone : "UTC"}. `;
    other.textContent = own ? "Show UTC" : `Show ${zone}`;
  };
  other.addEventListener("click", () => {
    own = !own;
    showLocalTimes();
    say();
  });
  say();
  note.replaceChildren(words, other);
  note.hidden = false;
}

function sayWhenDaysBegin(note) {
  const today = new Date();
  today.setUTCHours(0, 0, 0, 0);
  const begins = inWords(today).split(", ")[1];
  if (begins !== "00:00") note.textContent = `Days begin at 00:00 UTC, ${begins} of yours.`;
}

function start() {
  showLocalTimes();
  if (isUtc) return;
  const note = document.querySelector("[data-time-zone]");
  if (note && document.querySelector("time[datetime][title]")) nameTheZone(note);
  document.querySelectorAll("[data-days]").forEach(sayWhenDaysBegin);
}

requestAnimationFrame(() => setTimeout(start));
