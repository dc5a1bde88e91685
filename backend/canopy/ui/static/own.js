// A response's own page where nobody signs in: the session proves that this is the browser that asked for it.

import { showFailure } from "./browser.js";
import { request } from "./wire.js";

const main = document.getElementById("main");

async function open() {
  try {
    const response = await request(location.pathname, { method: "GET", headers: { Accept: "text/html" } });
    // The page as the server writes it for this session: what people and models wrote is text in it already.
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    main.replaceChildren(...page.getElementById("main").childNodes);
    document.title = page.title;
  } catch (refusal) {
    const failure = await inWords(refusal);
    main.querySelector("[role=status]").textContent = "It can't be opened here.";
    const place = document.createElement("div");
    main.querySelector("[data-own]").append(place);
    showFailure(place, failure, failure.status === 404 ? null : open);
  }
}

// A page of an error tells people what is wrong; what can be shown here is the same as JSON.
async function inWords(refusal) {
  if (!refusal.status) return refusal;
  try {
    await request(location.pathname, { method: "GET", headers: { Accept: "application/json" } });
    return refusal;
  } catch (failure) {
    return failure;
  }
}

await open();
