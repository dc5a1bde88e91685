// One ballot on a comparison. Its answer is the first to tell which prompt was behind which response.

import { Choice } from "./choice.js";
import { request } from "./wire.js";

const PROMPTS = {
  prompt: { name: "Prompt A", role: "the current one" },
  prompt_b: { name: "Prompt B", role: "the candidate" },
};

export class Ballot extends Choice {
  // `counted` gets, after each save, the preference and, by side, the prompt's name, role and text.
  constructor(comparisonId, counted) {
    super("ballot-template", "Which response is better?");
    Object.assign(this, { comparisonId, counted, winner: null });
  }

  pick(preference, pressed) {
    if (!pressed) this.submit(preference);
  }

  async send(preference) {
    const body = { comparison_id: this.comparisonId, preference, ...this.details(preference) };
    const answer = await (await request("/feedback/ab", { body })).json();
    const behind = ([side, variant]) => [side, { ...PROMPTS[variant], text: answer.prompts[side].text }];
    this.winner = PROMPTS[answer.winning_prompt] ?? null;
    this.counted(preference, Object.fromEntries(Object.entries(answer.prompt_mapping).map(behind)));
  }

  thanks(preference, detailed) {
    if (!this.winner) return super.thanks(preference, detailed);
    return `Thanks, saved. You preferred ${this.winner.name}, ${this.winner.role}.`;
  }
}
