// Buttons that copy the address of what a page shows. Without this script the address is a link like any other.

import { copyText } from "./browser.js";

for (const button of document.querySelectorAll("[data-copy-link]")) {
  const label = button.querySelector("span");
  const words = label.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await copyText(new URL(button.dataset.copyLink, location.href).href);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Copying isn't allowed here";
    }
    setTimeout(() => { label.textContent = words; }, 2000);
  });
}
