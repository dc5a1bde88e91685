"""A server with everything on it that makes pages hard: many votes, long words, both directions of writing, trouble.

What it holds is put into the store before the server starts, so that it takes a second or two.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from canopy.base.ids import new_trace_id
from canopy.config.values import Values
from canopy.generation.prompts import prompt_of
from canopy.gitops.evidence import PromotionAction
from canopy.judges.definitions import configured_judges
from canopy.stats.sequential import DecisionRule
from canopy.store.experiments.experiment import Experiment, Preference
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.contract.store.records import DOWN, HOUR, a_ballot, a_comparison, a_generation, a_vote, an_experiment
from tests.support.evidence import a_statement
from tests.support.judging import labelled
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

SESSION = "5f1c0b5e-0000-4000-8000-000000000001"  # the browser's that asked for what is seeded
UNBROKEN = "Donaudampfschifffahrtsgesellschaftskapitän" * 8
ARABIC = "قرر المجلس يوم الثلاثاء تحويل ساحة السكك الحديدية إلى حديقة عامة، رغم اعتراض ثلاثة أعضاء."
HEBREW = "המועצה החליטה ביום שלישי להפוך את חצר הרכבת לפארק ציבורי (Rail Yard Park)."
MARKDOWN = """## What was decided

- The **rail yard** becomes a park
- It costs *2.4 million*, see https://example.com/a/very/long/address/without/any/space/in/it/at/all?and=more

| Item | Cost | Paid by | Decided on | Objections |
|---|---|---|---|---|
| Trees | 1,200,000 | the state | 3 March | none |
| Paths | 1,200,000 | the town | 4 March | three |
"""
TEXTS = (
    "The council voted on Tuesday to turn the rail yard into a park.",
    f"An unbroken word: {UNBROKEN}.",
    ARABIC,
    HEBREW,
    "A long text about the harbour and its ships, and about who paid for them and why. " * 20,
)
ANSWERS = ("Rail yard becomes park.", UNBROKEN, ARABIC, MARKDOWN, "The harbour has ships. " * 30)
PROMPT = "Summarize the following text in a clear and detailed manner:"
PROMPT_B = f"Provide a brief, concise summary, and never the word {UNBROKEN[:84]}:"
OTHERWISE: tuple[Preference, ...] = ("a", "tie", "both_bad")
DAYS = 40
VOTES = 120


@dataclass(frozen=True)
class Seeded:
    """The running server, and ids of what stands in addresses, by the names of the routes' parameters."""

    server: Server
    ids: dict[str, str]


def seeded_values(model: FakeModelServer, **sections: dict[str, Any]) -> dict[str, Any]:
    """Values with everything on, and with as many features as make the navigation long."""
    return {
        "LLAMA_STACK_URL": model.url,
        "summarize": {"model": "llama32", "prompt": PROMPT, "prompt_b": PROMPT_B},
        "features": {
            "translate": {"prompt": "Translate:", "title": "Übersetzung ins Einfache"},
            "explain": {"prompt": "Explain:"},
            "minutes": {"prompt": "Write the minutes:", "title": f"Protokolle {UNBROKEN[:42]}"},
        },
        "ab_testing": {"enabled": True, "name": "Briefer", "hypothesis": f"People want less of {UNBROKEN[:60]}."},
        "judging": {"online": True},
        **sections,
    }


@asynccontextmanager
async def seeded_server(folder: Path, model: FakeModelServer) -> AsyncGenerator[Seeded]:
    """A server with votes, judges' labels, reviews and experiments, whose last values were refused."""
    values = seeded_values(model)
    now = _Now()
    store = open_store(f"sqlite:///{folder / 'canopy.db'}", clock=now)
    await store.start()
    ids = await _seed(store, now, values)
    await store.close()
    async with running_server(folder, values, env={"CANOPY_MODEL_RETRIES": "0"}) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
            for number in (3, 8):
                review = {"prompt": f"{TEXTS[number % 5]} ({number})", "expected_result": f"{ARABIC} {UNBROKEN}"}
                assert (await http.put("/feedback/review", json=review)).status_code == 200
            actions: tuple[tuple[str, PromotionAction, list[str]], ...] = (
                ("a", "promote", []),
                ("b", "rollback", [f"{UNBROKEN} is another."]),
            )
            for commit, action, findings in actions:
                told = a_statement(TEXTS[4], PROMPT, action, forced=f"{ARABIC} {UNBROKEN}", reverts="a" * 40)
                evidence = {"statement": told, "findings": findings}
                assert (await http.put(f"/promotions/{commit * 40}", json=evidence)).status_code == 200
        server.write_values(f"summarize: {{temperature: {UNBROKEN}}}\n")
        await server.event("config_rejected")
        yield Seeded(server, ids)


class _Now:
    """The time at which something seeded happens."""

    def __init__(self) -> None:
        self.at = time.time_ns() // 1_000

    def __call__(self) -> int:
        self.at += 1_000
        return self.at


async def _seed(store: Store, now: _Now, values: dict[str, Any]) -> dict[str, str]:
    began = now.at
    judges = configured_judges(Values.model_validate(values), lambda name: name)
    accuracy, quality = judges
    prompts = [prompt_of(text) for text in (PROMPT, PROMPT_B, "Summarize:\n" + TEXTS[4])]
    ids = {"feature": "translate"}
    for number in range(VOTES):
        now.at = began - (DAYS * 24 * HOUR * (VOTES - 1 - number)) // VOTES - HOUR
        prompt = prompts[number % 3]
        generation = a_generation(
            created_at=now.at,
            feature="translate" if number % 10 == 9 else "summarize",
            prompt_id=prompt.id,
            prompt_text=prompt.text,
            model="llama32" if number % 2 else f"provider/{UNBROKEN[:84]}",
            input_text=f"{TEXTS[number % 5]} ({number})",
            response_text=ANSWERS[number % 5],
            session_id=SESSION,
        )
        await store.generations.record(generation)
        if number % 4 == 0:
            await labelled(store, accuracy, generation, "hallucination_detected", f"{HEBREW} {UNBROKEN}")
            await labelled(store, quality, generation, "good", "It reads well.")
        bad: dict[str, Any] = {
            **DOWN,
            "comment": (ARABIC, f"Far too long: {UNBROKEN}", None)[number % 3],
            "reasons": ("inaccurate", "too_long", "off_topic"),
            "suggestion": TEXTS[(number + 1) % 5],
        }
        fields = bad if number % 3 == 0 else {"comment": "Fine." if number % 7 == 0 else None}
        receipt = await store.feedback.record(a_vote(generation, voter=f"session:{number}", **fields))
        if number == VOTES - 12:  # one that a person and a judge found bad
            ids |= {"feedback_id": receipt.feedback_id, "generation_id": generation.id, "prompt_id": prompt.id}
    now.at = began - 20 * 24 * HOUR
    await _compare(store, now, _experiment(prompts[0].text, TEXTS[4], now.at, name=None, hypothesis=None), 70, 12)
    now.at = began - 2 * 24 * HOUR
    open_one = _experiment(PROMPT, PROMPT_B, now.at, name="Briefer", hypothesis=f"People want less of {UNBROKEN[:60]}.")
    await _compare(store, now, open_one, 9, 7)
    now.at = began
    return ids | {"experiment_id": open_one.id}


def _experiment(prompt: str, prompt_b: str, at: int, **words: Any) -> Experiment:
    first, second = prompt_of(prompt), prompt_of(prompt_b)
    return an_experiment(
        id="exp_" + new_trace_id()[:16],
        created_at=at,
        prompt_id=first.id,
        prompt_text=first.text,
        prompt_b_id=second.id,
        prompt_b_text=second.text,
        rule=DecisionRule(alpha=0.05, prior_strength=10, equivalence_margin=0.05, max_decisive_votes=2000),
        **words,
    )


async def _compare(store: Store, now: _Now, experiment: Experiment, wins_b: int, others: int) -> None:
    """Ballots of as many people, half an hour after each other; `others` prefer A, are undecided, or find both bad."""
    for number in range(wins_b + others):
        now.at += HOUR // 2
        comparison = await a_comparison(
            store,
            experiment=experiment,
            created_at=now.at,
            expires_at=now.at + 24 * HOUR,
            session_id=f"{experiment.id}-{number}",
            input_text=TEXTS[number % 5],
        )
        preference = "b" if number < wins_b else OTHERWISE[number % 3]
        comment = (None, ARABIC, UNBROKEN)[number % 3]
        await store.comparisons.record_ballot(a_ballot(comparison, preference, comment=comment))
