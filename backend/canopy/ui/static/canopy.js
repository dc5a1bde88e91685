// What every page does.

import { keepApart, showFailure } from "./browser.js";
import { beginSending, watch } from "./unsent.js";
import { Failure } from "./wire.js";

keepApart();

// A vote that waited for the line and is refused for good, where nothing on the page is about it.
watch("", {
  refused: (_, failure) => {
    const place = document.createElement("div");
    document.getElementById("main").prepend(place);
    place.setAttribute("role", "alert");
    showFailure(place, new Failure(`A vote that waited to be sent could not be saved. ${failure.sentence}`));
  },
});
beginSending();

// Filters that aren't used stay out of the address.
document.getElementById("filters")?.addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) if (!value) formData.delete(name);
});
