// The entries of the feedback page hold the beginnings of long texts. Opening one loads the rest from its own page, to
// which a link leads where this script doesn't run or the page doesn't come.

import { offerCopies } from "./links.js";

async function load(entry, link) {
  const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const whole = page.getElementById(entry.id)?.querySelector(".entry-body");
  if (!whole) return;
  entry.querySelector(".entry-body").replaceWith(whole);
  offerCopies(whole);
}

for (const entry of document.querySelectorAll("details.entry:has([data-rest])")) {
  let loading = false;
  entry.addEventListener("toggle", async () => {
    const link = entry.querySelector("[data-rest] a");
    if (!entry.open || !link || loading) return;
    loading = true;
    entry.setAttribute("aria-busy", "true");
    try {
      await load(entry, link);
    } catch (error) {
      console.warn("The whole texts did not come; the link leads to them.", error);
    } finally {
      entry.removeAttribute("aria-busy");
      loading = false;
    }
  });
}
