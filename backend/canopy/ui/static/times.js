// Times in the browser's own time zone. The server writes them in UTC, which stays in their titles.

const FORM = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const format = new Intl.DateTimeFormat("en", FORM);

function inWords(moment) {
  const part = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, value]));
  return `${part.day} ${part.month} ${part.year}, ${part.hour}:${part.minute}`;
}

export function showLocalTimes(root = document) {
  for (const time of root.querySelectorAll("time[datetime][title]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.valueOf())) time.textContent = inWords(moment);
  }
}

showLocalTimes();
for (const note of document.querySelectorAll("[data-time-zone]")) {
  note.textContent = `Times in ${format.resolvedOptions().timeZone.replaceAll("_", " ")}; point at one for UTC.`;
  note.hidden = false;
}
