"""What became of a promotion that a server was told of, where the two variants differ in a model or in parameters."""

from dataclasses import replace
from typing import Any

from canopy.base.clock import iso
from canopy.config.loading import load_config
from canopy.experiments.assignment import experiment_id
from canopy.generation.prompts import prompt_of
from canopy.gitops.acceptance import accepted
from canopy.gitops.evidence import PromotionAction
from canopy.store.experiments.promotions import ToldPromotion
from canopy.store.feedback.hourly_counts import DAY
from canopy.ui.promotions import PromotionView, ServerSight, promotion_views
from canopy.ui.variant_line import VariantStretch
from tests.support.evidence import a_statement

NOW = 1_800_000_000_000_000
ONE = prompt_of("One:").id
PROMOTED, BACK = "a" * 40, "b" * 40
LLAMA = VariantStretch("summarize", ONE, "llama32", None, NOW - 4 * DAY)
GRANITE = VariantStretch("summarize", ONE, "granite", NOW - 4 * DAY)
AGAIN = replace(LLAMA, since=NOW - 2 * DAY, until=None)


def told(commit: str, action: PromotionAction, days: int, own: dict[str, Any]) -> tuple[ToldPromotion, int]:
    plain = a_statement("One:", "One:")["predicate"]["experiment"]
    experiment = plain | {"id": experiment_id(ONE, ONE, "llama32", 0.2, 4096, **own), **own}
    facts = {"experiment": experiment, "made_at": iso(NOW - days * DAY)}
    reverts = PROMOTED if action == "rollback" else None
    return accepted(commit, a_statement("One:", "One:", action, reverts=reverts, **facts), (), NOW), NOW


def views(own: dict[str, Any], line: list[VariantStretch], values: str, *, back: bool = False) -> list[PromotionView]:
    """The newest first."""
    known = [told(BACK, "rollback", 2, own)] if back else []
    config = load_config(f"LLAMA_STACK_URL: http://llama:8321\nsummarize: {{prompt: 'One:', {values}}}".encode())
    return promotion_views(
        [*known, told(PROMOTED, "promote", 4, own)], ServerSight(line, [], ()), config, "http://canopy"
    )


def test_a_model_is_in_force_since_its_answers_and_not_any_more_when_it_is_taken_back() -> None:
    own, line = {"model_b": "granite"}, [LLAMA, GRANITE]
    (it,) = views(own, line, "model: granite")
    assert (it.in_force, it.seen_at, it.before, it.after) == (True, GRANITE.since, LLAMA, GRANITE)
    assert it.rollback
    assert (it.kept, it.gone) == ((ONE, "the model granite"), (ONE, "the model llama32"))
    (it,) = views(own, line[:0], "model: llama32")  # a commit on a branch
    assert (it.in_force, it.seen_at, it.rollback) == (False, None, None)
    back, it = views(own, [LLAMA, replace(GRANITE, until=AGAIN.since), AGAIN], "model: llama32", back=True)
    assert (it.in_force, it.taken_back_by, it.rollback, it.seen_at) == (False, BACK, None, GRANITE.since)
    assert (back.in_force, back.seen_at, back.after) == (True, AGAIN.since, AGAIN)
    assert (back.kept, back.gone) == (it.gone, it.kept)


def test_parameters_are_in_force_by_the_values_alone() -> None:
    own = {"temperature_b": 0.7}
    for temperature, in_force in ((0.7, True), (0.2, False)):
        (it,) = views(own, [LLAMA, GRANITE], f"temperature: {temperature}")
        assert (it.in_force, bool(it.rollback), it.seen_at, it.shows) == (in_force, in_force, None, False)
        assert (it.kept.parameters, it.gone.parameters) == ("temperature 0.7", "temperature 0.2")
