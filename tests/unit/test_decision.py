"""When the votes are enough, and what is said then."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canopy.experiments.decision import decide, percent, status
from canopy.stats.sequential import DecisionRule

DEFAULT = DecisionRule(alpha=0.05, prior_strength=10, equivalence_margin=0.05, max_decisive_votes=2000)
CLAIMS = {"promote_b", "keep_a", "equivalent"}

rules = st.builds(
    DecisionRule,
    alpha=st.sampled_from([0.01, 0.05, 0.3]),
    prior_strength=st.sampled_from([1, 10, 50]),
    equivalence_margin=st.sampled_from([0.02, 0.05, 0.2]),
    max_decisive_votes=st.sampled_from([20, 300, 2000]),
)
counts = st.integers(0, 400)


@pytest.mark.parametrize(
    ("wins_a", "wins_b", "expected"),
    [
        (0, 0, "collecting"),
        (3, 1, "collecting"),
        (38, 62, "collecting"),
        (90, 140, "promote_b"),
        (140, 90, "keep_a"),
        (1000, 1000, "equivalent"),
        (0, 2000, "promote_b"),
        (960, 1040, "inconclusive"),
    ],
)
def test_counts_lead_to_a_decision(wins_a: int, wins_b: int, expected: str) -> None:
    assert decide(wins_a, wins_b, DEFAULT).status == expected


def test_a_winner_at_the_last_vote_is_still_a_winner() -> None:
    assert status(90, 140, DEFAULT._replace(max_decisive_votes=230)) == "promote_b"
    assert status(110, 120, DEFAULT._replace(max_decisive_votes=230)) == "inconclusive"
    assert status(109, 120, DEFAULT._replace(max_decisive_votes=230)) == "collecting"


@given(counts, counts, rules)
def test_exchanging_the_prompts_exchanges_the_decision(wins_a: int, wins_b: int, rule: DecisionRule) -> None:
    mirror = {"promote_b": "keep_a", "keep_a": "promote_b"}
    there, back = decide(wins_a, wins_b, rule), decide(wins_b, wins_a, rule)
    assert back.status == mirror.get(there.status, there.status)


@given(counts, counts, rules)
def test_the_interval_agrees_with_the_decision(wins_a: int, wins_b: int, rule: DecisionRule) -> None:
    decision = decide(wins_a, wins_b, rule)
    low, high = decision.interval
    if decision.status == "promote_b":
        assert low > 0.5
        assert decision.evidence.e_b >= decision.needed
    elif decision.status == "keep_a":
        assert high < 0.5
        assert decision.evidence.e_a >= decision.needed
    else:
        assert max(decision.evidence.e_a, decision.evidence.e_b) < decision.needed
        inside = low >= 0.5 - rule.equivalence_margin and high <= 0.5 + rule.equivalence_margin
        assert inside == (decision.status == "equivalent")


@given(counts, counts, rules)
def test_a_decision_is_plain_json_and_says_everything(wins_a: int, wins_b: int, rule: DecisionRule) -> None:
    decision = decide(wins_a, wins_b, rule)
    json.dumps(decision._asdict(), allow_nan=False)
    assert decision.n == wins_a + wins_b
    assert (decision.win_rate_b is None) == (decision.n == 0)
    assert decision.sentence.endswith(".")
    assert decision.statistician.endswith(f"n = {decision.n:,}.")


@pytest.mark.parametrize("p", [0.4, 0.45, 0.48, 0.5, 0.55])
def test_whatever_the_truth_is_a_wrong_decision_ever_shows_with_probability_alpha_at_most(p: float) -> None:
    """Exactly, by the probabilities of all ways through 500 looks; a way ends where it first claims what isn't so."""
    true = {"promote_b"} if p > 0.5 else {"keep_a"} if p < 0.5 else set()
    rule = DEFAULT._replace(equivalence_margin=0.1, prior_strength=20)  # makes all three claims within these votes
    if abs(p - 0.5) < rule.equivalence_margin:
        true.add("equivalent")
    ways, wrong = {0: 1.0}, 0.0
    for n in range(1, 501):
        after: dict[int, float] = {}
        for wins, chance in ways.items():
            after[wins] = after.get(wins, 0) + chance * (1 - p)
            after[wins + 1] = after.get(wins + 1, 0) + chance * p
        ended = {wins for wins in after if status(n - wins, wins, rule) in CLAIMS - true}
        wrong += sum(after[wins] for wins in ended)
        ways = {wins: chance for wins, chance in after.items() if wins not in ended and chance > 1e-12}
    assert wrong <= rule.alpha


@pytest.mark.parametrize(
    ("wins_a", "wins_b", "said"),
    [
        (0, 0, "Nobody has preferred one variant over the other yet."),
        (0, 1, "It is too early to tell: between 0 and 100 % of the people who choose prefer the candidate, Prompt B."),
        (
            62,
            38,
            "It is too early to tell: between 20 and 55 % of the people who choose prefer the candidate, Prompt B.",
        ),
        (87, 143, "The candidate, Prompt B, is better: between 51 and 75 % of the people who choose prefer it."),
        (143, 87, "The current, Prompt A, is better: between 51 and 75 % of the people who choose prefer it."),
        (300, 700, "The candidate, Prompt B, is better: between 60 and 80 % of the people who choose prefer it."),
        (
            1000,
            1000,
            "The two are as good as equal: between 45 and 55 % of the people who choose prefer the candidate, Prompt B",
        ),
        (960, 1040, "it is still open which variant is better: between 45 and 60 % of the people who choose prefer"),
    ],
)
def test_the_sentence_is_plain(wins_a: int, wins_b: int, said: str) -> None:
    assert said in decide(wins_a, wins_b, DEFAULT).sentence


@given(counts, counts, rules)
def test_the_sentence_has_one_number_once_as_a_coarse_range_around_the_interval(
    wins_a: int, wins_b: int, rule: DecisionRule
) -> None:
    decision = decide(wins_a, wins_b, rule)
    assert decision.sentence.count(". ") == 0
    found = [int(number) for number in re.findall(r"\d+", decision.sentence)]
    if not decision.n:
        assert found == []
        return
    low, high = (100 - found[1], 100 - found[0]) if decision.status == "keep_a" else found
    assert all(end % 5 == 0 or end in (49, 51) for end in (low, high))
    assert low <= round(100 * decision.interval[0]) + 1
    assert high >= round(100 * decision.interval[1]) - 1
    if decision.status == "promote_b":
        assert low > 50
    if decision.status == "keep_a":
        assert high < 50


def test_the_statistician_reads_what_was_tested_and_how() -> None:
    assert decide(90, 140, DEFAULT).statistician == (
        "E-value 87.6 against p ≤ ½ at any stopping time, 40 needed (half of alpha for each direction); "
        "95 % confidence sequence 0.508 to 0.703 for Prompt B's win rate p; Beta(10, 10) mixture, n = 230."
    )
    assert "against p ≥ ½" in decide(140, 90, DEFAULT).statistician


@pytest.mark.parametrize(("alpha", "said"), [(0.05, "95 %"), (0.07, "93 %"), (0.001, "99.9 %"), (1e-6, "99.9999 %")])
def test_the_confidence_is_what_alpha_leaves(alpha: float, said: str) -> None:
    assert f"; {said} confidence sequence" in decide(3, 4, DEFAULT._replace(alpha=alpha)).statistician


@pytest.mark.parametrize(("share", "said"), [(0.5, "50 %"), (0.503, "50.3 %"), (0.62, "62 %"), (1, "100 %")])
def test_a_share_near_one_half_does_not_read_as_a_draw(share: float, said: str) -> None:
    assert percent(share) == said
