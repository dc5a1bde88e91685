"""Who is_in_share, which prompt stands where, and what makes an experiment."""

import subprocess
import sys
from itertools import pairwise, product
from typing import Any

import pytest

from canopy.experiments.assignment import experiment_id, is_in_share, prompt_b_side

KEYS = [f"session-{number}" for number in range(4000)]


@pytest.mark.parametrize("percentage", [1, 20, 50, 99.5])
def test_the_share_of_keys_that_compare_is_the_configured_one(percentage: float) -> None:
    inside = sum(is_in_share(key, percentage) for key in KEYS)
    assert inside / len(KEYS) == pytest.approx(percentage / 100, abs=0.03)


def test_a_key_that_is_in_stays_in_when_the_share_grows() -> None:
    shares = [{key for key in KEYS if is_in_share(key, percentage)} for percentage in (0, 5, 20, 50, 100)]
    assert all(smaller < larger for smaller, larger in pairwise(shares))
    assert shares[0] == set()
    assert shares[-1] == set(KEYS)


def test_another_process_decides_the_same() -> None:
    shares = "[is_in_share(f'session-{k}', 30) for k in range(50)]"
    code = f"from canopy.experiments.assignment import is_in_share; print({shares})"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == str([is_in_share(key, 30) for key in KEYS[:50]])


def test_any_text_is_a_key() -> None:
    assert is_in_share("\ud800\0 ünï", 100)
    assert not is_in_share("", 0)


def test_without_a_key_the_share_is_drawn_for_each_request() -> None:
    assert all(is_in_share(None, 100) for _ in range(100))
    assert not any(is_in_share(None, 0) for _ in range(100))
    assert 300 < sum(is_in_share(None, 50) for _ in range(1000)) < 700


def test_prompt_b_stands_on_either_side_equally_often() -> None:
    left = sum(prompt_b_side() == "a" for _ in range(1000))
    assert 300 < left < 700


def test_an_experiment_keeps_its_id() -> None:
    assert experiment_id("sha256:1", "sha256:2", "llama32", 0.9, 4096) == "exp_71222e66f4217073"
    assert experiment_id("p", "q", "m", 1, 10) == experiment_id("p", "q", "m", 1.0, 10)


def test_whatever_changes_begins_another_experiment() -> None:
    settings = product(("p", "q"), ("p", "r"), ("m", "m,1", 'm"'), (0.1, 0.2), (10, 100))
    ids = [experiment_id(*setting) for setting in settings]
    assert len(set(ids)) == len(ids)


def test_parts_can_not_be_shifted_into_one_another() -> None:
    assert experiment_id('a","b', "c", "m", 1, 1) != experiment_id("a", 'b","c', "m", 1, 1)


def test_what_b_has_of_its_own_begins_another_experiment_and_what_it_has_as_a_does_not() -> None:
    def of(**own: Any) -> str:
        return experiment_id("sha256:1", "sha256:2", "llama32", 0.9, 4096, **own)

    assert of(model_b="llama32", temperature_b=0.9, max_tokens_b=4096) == of() == "exp_71222e66f4217073"
    ids = [of(model_b=m, temperature_b=t, max_tokens_b=n) for m in (None, "g") for t in (None, 0) for n in (None, 9)]
    assert len(set(ids)) == len(ids)
    assert of(temperature_b=1) == of(temperature_b=1.0)
    assert of(model_b="g", feature="f") not in {*ids, of(feature="f")}
