// Signing in with a token, and out again. The token stays in no script's reach: the server keeps it in a cookie.

import { forgetAtLast, show } from "./browser.js";
import { forgetUnsent, sendUnsent } from "./unsent.js";
import { request } from "./wire.js";

const form = document.getElementById("sign-in");
const goOn = () => location.replace(form.dataset.target);

if (form) {
  const [field, button] = ["input", "button"].map((at) => form.querySelector(at));
  const refusal = document.getElementById("refusal");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    refusal.textContent = "";
    button.disabled = true;
    try {
      await request("/sign-in", { body: { token: field.value.trim() } });
      goOn();
    } catch (failure) {
      refusal.textContent = failure.sentence;
      field.setAttribute("aria-invalid", "true");
      field.select();
      field.focus();
    } finally {
      button.disabled = false;
    }
  });
  // Whoever follows a link from another site arrives without the cookie, and has it from here on.
  const { user } = await (await request("/identity", { method: "GET" })).json();
  if (user) goOn();
}

// Nothing of theirs stays in this browser, and no vote gets lost that can still be sent.
function forget() {
  forgetAtLast();
  forgetUnsent();
}

const out = document.getElementById("sign-out");
out?.addEventListener("click", async () => {
  await sendUnsent();
  await request("/sign-out", { body: {} });
  forget();
  location.replace("/sign-in");
});
document.querySelector(".who a")?.addEventListener("click", forget);  // the way out of a proxy
if (out) show(out, true);  // without a script it could do nothing
