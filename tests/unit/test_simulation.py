"""Synthetic voters against the real rule."""

import pytest

from canopy.experiments.decision import decide, status
from canopy.experiments.simulation import (
    VoterModel,
    boundaries,
    is_right,
    replay,
    shares,
    simulate,
    typical_run,
    winners_within,
)
from canopy.stats.sequential import DecisionRule

RULE = DecisionRule(alpha=0.1, prior_strength=5, equivalence_margin=0.15, max_decisive_votes=150)


def test_the_boundaries_are_the_rule() -> None:
    limits = boundaries(RULE)
    for n in range(1, RULE.max_decisive_votes + 1):
        for wins_b in range(n + 1):
            leader = max(wins_b, n - wins_b)
            if leader >= limits.better[n]:
                expected = "promote_b" if 2 * wins_b > n else "keep_a"
            elif n - leader >= limits.level[n]:
                expected = "equivalent"
            else:
                expected = "inconclusive" if n == RULE.max_decisive_votes else "collecting"
            assert status(n - wins_b, wins_b, RULE) == expected


def test_the_z_test_is_the_textbooks() -> None:
    z = boundaries(RULE._replace(alpha=0.05)).z
    assert z[9] > 9  # not yet
    assert (z[10], z[25], z[100]) == (9, 18, 60)  # 1.96 standard deviations of √n / 2 above n / 2


def test_the_same_seed_gives_the_same_runs() -> None:
    limits = boundaries(RULE)
    first, again, other = (list(simulate(VoterModel(0.6, 0.2), limits, 20, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_replay_ends_as_its_run_did() -> None:
    voters = VoterModel(0.6, 0.3)
    for index, run in enumerate(simulate(voters, boundaries(RULE), 30, seed=4)):
        steps = replay(voters, 4, index, run.n)
        assert steps[-1].votes == run.votes
        assert decide(steps[-1].wins_a, steps[-1].wins_b, RULE).status == run.status
        assert all(status(step.wins_a, step.wins_b, RULE) == "collecting" for step in steps[:-1])


def test_ties_delay_a_decision_and_change_nothing_else() -> None:
    limits = boundaries(RULE)
    plain, tied = (list(simulate(VoterModel(0.65, ties), limits, 400, seed=3)) for ties in (0, 0.5))
    decisive = [sum(run.n for run in runs) / len(runs) for runs in (plain, tied)]
    assert decisive[1] == pytest.approx(decisive[0], rel=0.15)
    assert sum(run.votes for run in tied) == pytest.approx(2 * sum(run.n for run in tied), rel=0.05)
    assert shares(tied)["promote_b"] == pytest.approx(shares(plain)["promote_b"], abs=0.1)


def test_a_clear_preference_is_found() -> None:
    runs = list(simulate(VoterModel(0.8, 0.2), boundaries(RULE), 200, seed=1))
    assert shares(runs)["promote_b"] > 0.95
    assert sum(shares(runs).values()) == pytest.approx(1)


def test_the_typical_run_is_in_the_middle_of_its_kind() -> None:
    runs = list(simulate(VoterModel(0.7, 0), boundaries(RULE), 101, seed=1))
    middle = runs[typical_run(runs)]
    alike = [run.votes for run in runs if run.status == middle.status]
    assert len(alike) > 50
    assert sum(votes < middle.votes for votes in alike) <= len(alike) / 2
    assert sum(votes > middle.votes for votes in alike) <= len(alike) / 2


def test_winners_add_up_as_votes_come_in() -> None:
    runs = list(simulate(VoterModel(0.5, 0.2), boundaries(RULE), 300, seed=1))
    by_rule, by_z_test = zip(*(winners_within(runs, votes) for votes in (10, 50, 100, 1000)), strict=True)
    assert list(by_rule) == sorted(by_rule)
    assert list(by_z_test) == sorted(by_z_test)
    assert by_z_test[-1] > 2 * by_rule[-1]


def test_a_decision_is_right_or_wrong_about_the_voters() -> None:
    assert is_right("promote_b", 0.6, RULE) is True
    assert is_right("promote_b", 0.5, RULE) is False
    assert is_right("keep_a", 0.6, RULE) is False
    assert is_right("equivalent", 0.6, RULE) is True
    assert is_right("equivalent", 0.7, RULE) is False
    assert is_right("inconclusive", 0.7, RULE) is None
