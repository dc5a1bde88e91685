// Notes on an experiment: added and deleted at once. The page then comes anew, with all of them.

import { show, showFailure } from "./browser.js";
import { persistently, request } from "./wire.js";

class Notes {
  constructor(root) {
    this.root = root;
    this.form = root.querySelector("form");
    this.field = this.form.querySelector("textarea");
    this.failure = root.querySelector("[data-failure]");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.change(() => request(root.dataset.address, { body: { text: this.field.value } }));
    });
    this.field.addEventListener("input", () => {
      this.field.setCustomValidity(this.field.value.trim() ? "" : "Write what is to be noted.");
    });
    for (const button of root.querySelectorAll("[data-delete]")) {
      const { note } = button.closest("[data-note]").dataset;
      const remove = () => persistently(() => request(`${root.dataset.address}/${note}`, { method: "DELETE" }));
      button.addEventListener("click", () => this.change(remove));
      show(button, true);
    }
    // A note that is half written must not be lost by a slip.
    addEventListener("beforeunload", (event) => { if (this.field.value.trim() && !this.done) event.preventDefault(); });
    show(this.form, true);
  }

  async change(work) {
    if (this.busy) return;
    this.busy = this.field.readOnly = true;
    this.failure.replaceChildren();
    try {
      await work();
      this.done = true;
      location.hash = "notes";
      location.reload();
    } catch (error) {
      showFailure(this.failure, error, () => this.change(work)).focus();
    } finally {
      this.busy = this.field.readOnly = false;
    }
  }
}

const root = document.getElementById("notes");
if (root) new Notes(root);
