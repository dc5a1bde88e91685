// One ballot on a comparison. Its answer is the first to tell which prompt was behind which response.

import { Choice } from "./choice.js";

const PROMPTS = {
  prompt: { name: "Prompt A", role: "current prompt" },
  prompt_b: { name: "Prompt B", role: "candidate" },
};

export class Ballot extends Choice {
  // `counted` gets, after each save, the preference and, by side, the prompt's name, role and text.
  constructor(comparisonId, counted, kept = {}) {
    super("ballot-template", "Which response is better?", comparisonId, kept);
    Object.assign(this, { comparisonId, counted, prompts: kept.known?.prompts ?? null });
    if (!this.prompts) return;
    this.state.textContent = this.thanks(this.current, false);
    counted(this.saved, this.prompts);
  }

  pick(preference, pressed) {
    if (pressed) return;
    this.submit(preference);
    this.comeInSight();
  }

  // The choice is made far from here: on the bar of a phone, or by a key. What becomes of it is said here.
  comeInSight() {
    this.element.scrollIntoView({ block: "nearest", behavior: "instant" });
  }

  // What was behind the responses stands above this, which must not push it away from who looks at it.
  accept(vote, answer) {
    const { top, bottom } = this.state.getBoundingClientRect();
    const seen = !this.prompts && top < innerHeight && bottom > 0;
    super.accept(vote, answer);
    if (seen) this.comeInSight();
  }

  message(preference) {
    const body = { comparison_id: this.comparisonId, preference, ...this.details(preference) };
    delete body.suggestion;  // which is about one answer
    return { path: "/feedback/ab", body };
  }

  received(preference, answer) {
    const { a, b } = answer.models ?? {};
    const named = (side, name) => (a === b ? name : `${name}, ${answer.models[side]}`);
    const behind = ([side, variant]) => {
      const { name, role } = PROMPTS[variant];
      return [side, { role, name: named(side, name), text: answer.prompts[side].text }];
    };
    this.prompts = Object.fromEntries(Object.entries(answer.prompt_mapping).map(behind));
    this.counted(preference, this.prompts);
  }

  record() {
    return { ...super.record(), prompts: this.prompts };
  }

  thanks(preference, detailed) {
    const behind = this.prompts?.[preference];
    if (!behind) return super.thanks(preference, detailed);
    return `Thanks, saved. You preferred Response ${preference.toUpperCase()}: the ${behind.role}, ${behind.name}.${this.apart}`;
  }
}
