// Notes on an experiment. After adding one the page comes anew, with all of them; a deleted one leaves it at once.

import { announce, show, showFailure } from "./browser.js";
import { persistently, request } from "./wire.js";

const MOST = 4_000;  // characters, as the server counts them

class Notes {
  constructor(root) {
    this.root = root;
    this.form = root.querySelector("form");
    this.field = this.form.querySelector("textarea");
    this.failure = root.querySelector("[data-failure]");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.busily(() => this.add());
    });
    this.field.addEventListener("input", () => this.field.setCustomValidity(this.complaint()));
    for (const item of root.querySelectorAll("[data-note]")) {
      const button = item.querySelector("[data-delete]");
      button.addEventListener("click", () => {
        if (confirm(`Delete ${item.dataset.whose} for good? Nobody can bring it back.`)) this.busily(() => this.remove(item));
      });
      show(button, true);
    }
    // A note that is half written must not be lost by a slip.
    addEventListener("beforeunload", (event) => { if (this.field.value.trim()) event.preventDefault(); });
    show(this.form, true);
  }

  complaint() {
    const { length } = [...this.field.value];
    if (!this.field.value.trim()) return "Write what is to be noted.";
    if (length <= MOST) return "";
    return `A note has at most ${MOST.toLocaleString("en")} characters, and this one has ${length.toLocaleString("en")}.`;
  }

  async add() {
    await request(this.root.dataset.address, { body: { text: this.field.value } });
    this.field.value = "";
    location.hash = "notes";
    location.reload();
  }

  async remove(item) {
    let sentence = "The note is deleted.";
    try {
      await persistently(() => request(`${this.root.dataset.address}/${item.dataset.note}`, { method: "DELETE" }));
    } catch (error) {
      if (error.code !== "note_not_found") throw error;
      sentence = "Somebody had deleted this note already.";
    }
    item.remove();
    announce(sentence);
    this.field.focus();
  }

  async busily(work) {
    if (this.busy) return;
    this.busy = this.field.readOnly = true;
    this.failure.replaceChildren();
    try {
      await work();
    } catch (error) {
      showFailure(this.failure, error, () => this.busily(work)).focus();
    } finally {
      this.busy = this.field.readOnly = false;
    }
  }
}

const root = document.getElementById("notes");
if (root) new Notes(root);
