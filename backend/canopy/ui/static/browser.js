// The browser's small services. What a model or a user wrote only ever becomes text, never markup.

// Storage that a browser may refuse: then things are remembered until the page is left.
const memory = new Map();
function keptIn(storage) {
  return {
    get(key) {
      if (memory.has(key)) return memory.get(key);
      try { return storage().getItem(key); } catch { return null; }
    },
    set(key, value) {
      try {
        storage().setItem(key, value);
        memory.delete(key);
      } catch {
        this.remove(key);  // what is there is older
        memory.set(key, value);
      }
    },
    remove(key) {
      memory.delete(key);
      try { storage().removeItem(key); } catch { /* there is nothing then */ }
    },
  };
}
export const kept = keptIn(() => sessionStorage);
export const keptForAllTabs = keptIn(() => localStorage);

// Who is signed in, where that is known: "open" where nobody signs in, null on the page that asks for it.
export const who = () => document.body.dataset.who ?? null;

// Forget what this tab keeps of the texts of whoever used it last.
export function forgetTexts() {
  memory.clear();
  try {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith("canopy.")) sessionStorage.removeItem(key);
  } catch { /* nothing was kept */ }
}

// The same at the end, when the page that is left must not keep anything any more.
export function forgetAtLast() {
  forgetTexts();
  kept.set = () => {};
}

// What one person wrote is not for the next one who signs in on the same tab.
export function keepApart() {
  if (who() === null || kept.get("canopy.who") === who()) return;
  forgetTexts();
  kept.set("canopy.who", who());
}

// A random UUID. Not crypto.randomUUID, which plain HTTP on another host doesn't have.
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

export function sessionId() {
  // One for the browser, not for the tab: whoever opens a second tab is no second voter.
  if (!keptForAllTabs.get("canopy.session")) keptForAllTabs.set("canopy.session", randomId());
  return keptForAllTabs.get("canopy.session");
}

export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const helper = Object.assign(document.createElement("textarea"), { value: text, className: "hidden" });
  document.body.append(helper);
  helper.select();
  const copied = document.execCommand("copy");  // deprecated, and the only way without HTTPS
  helper.remove();
  if (!copied) throw new Error("The browser refused to copy.");
}

export function fromTemplate(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
export const count = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
export const show = (element, visible) => { element.hidden = !visible; };

export function announce(sentence) {
  document.getElementById("announcer").textContent = sentence;
}

// Where one signs in, and comes back to this page from; null where that isn't Canopy's.
function signIn() {
  if (!who()?.startsWith("token:")) return null;
  return `/sign-in?${new URLSearchParams({ next: location.pathname + location.search })}`;
}

// A failure in words, with a button to try again where that can be done here, or a link to sign in where that is what is
// wanted; returns the button or the link.
export function showFailure(place, failure, retry = null) {
  const box = fromTemplate("failure-template");
  box.querySelector("[data-sentence]").textContent = failure.sentence;
  const reference = box.querySelector("[data-reference]");
  reference.textContent = failure.reference ? `Request ${failure.reference}` : "";
  show(reference, failure.reference);
  const button = box.querySelector("[data-retry]");
  button.addEventListener("click", () => { place.replaceChildren(); retry(); });
  if (!retry) button.remove();
  place.replaceChildren(box);
  if (failure.status === 401 && signIn()) {
    box.querySelector("[data-sentence]").textContent = "You are signed out.";
    const link = Object.assign(document.createElement("a"), { className: "button small", href: signIn(), textContent: "Sign in again" });
    button.remove();
    box.append(link);
    return link;
  }
  return button;
}

// A button to ask anew for what nobody waited for. It is there until it is pressed.
export function offerAgain(button, retry) {
  show(button, true);
  button.addEventListener("click", retry, { once: true });
}

// Bring the head of what is shown below the site's, unless it is near there already.
export function bringUp(shown) {
  const below = document.querySelector(".site").offsetHeight + 8;
  const { top } = shown.getBoundingClientRect();
  if (top < below || top > innerHeight / 4) scrollBy({ top: top - below, behavior: "instant" });
}
