// Buttons that copy the address of what a page shows, or a text beside them. Without this script both can be selected.

import { copyText } from "./browser.js";

async function copy(button) {
  const label = button.querySelector("span");
  const words = button.dataset.words ??= label.textContent;
  const { copyLink, copyText: id } = button.dataset;
  try {
    await copyText(id ? document.getElementById(id).textContent : new URL(copyLink, location.href).href);
    label.textContent = "Copied";
  } catch {
    label.textContent = "Copying isn't allowed here";
  }
  setTimeout(() => { label.textContent = words; }, 2000);
}

export function offerCopies(root = document) {
  for (const button of root.querySelectorAll("[data-copy-link], [data-copy-text]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}

offerCopies();
