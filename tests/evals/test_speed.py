"""How fast a backend is, measured by asking it."""

import asyncio

import pytest

from canopy.base.errors import ConfigError
from canopy.evals.results import Attempt, Target
from canopy.evals.run.speed import Speed, SpeedQuestion, Spread, measure, spread, time_per_token
from tests.support.eval_runs import an_attempt

TARGET = Target(url="http://127.0.0.1:8000")
QUESTIONS = [
    SpeedQuestion("/summarize", "one"),
    SpeedQuestion("/summarize", "two"),
    SpeedQuestion("/summarize", "three"),
]


class Asked:
    """A backend that answers at once and counts how many ask at a time."""

    def __init__(self, *attempts: Attempt) -> None:
        self.prompts: list[str] = []
        self.most = 0
        self._asking = 0
        self._attempts = attempts or (an_attempt(output_tokens=11),)

    async def __call__(self, endpoint: str, prompt: str) -> Attempt:
        assert endpoint == "/summarize"
        attempt = self._attempts[len(self.prompts) % len(self._attempts)]
        self.prompts.append(prompt)
        self._asking += 1
        self.most = max(self.most, self._asking)
        await asyncio.sleep(0)
        self._asking -= 1
        return attempt


async def test_so_many_ask_at_once_and_no_more() -> None:
    ask = Asked()
    speed = await measure(ask, QUESTIONS, TARGET, requests=20, concurrency=5)
    assert (ask.most, len(ask.prompts), speed.answers) == (5, 20, 20)


async def test_the_prompts_are_asked_in_turn() -> None:
    ask = Asked()
    await measure(ask, QUESTIONS, TARGET, requests=4, concurrency=1)
    assert ask.prompts == ["one", "two", "three", "one"]


async def test_what_warms_up_does_not_count() -> None:
    ask, heard = Asked(an_attempt(error="cold"), an_attempt()), list[Attempt]()
    speed = await measure(ask, QUESTIONS, TARGET, requests=1, concurrency=1, warmup=1, done=heard.append)
    assert (len(ask.prompts), speed.answers, speed.failures, len(heard)) == (2, 1, {}, 1)


async def test_failures_are_counted_by_reason_and_tell_no_time() -> None:
    ask = Asked(an_attempt(output_tokens=11), an_attempt(error="Status 503.", duration=90.0))
    speed = await measure(ask, QUESTIONS, TARGET, requests=10, concurrency=2)
    assert (speed.answers, speed.failures) == (5, {"Status 503.": 5})
    assert speed.duration == Spread(mean=1.25, p50=1.25, p90=1.25, p99=1.25, longest=1.25)


async def test_without_any_answer_there_are_no_times() -> None:
    speed = await measure(Asked(an_attempt(error="Status 503.")), QUESTIONS, TARGET, requests=3, concurrency=1)
    assert (speed.answers, speed.tokens_per_second, speed.time_to_first_token) == (0, None, None)
    assert Speed.model_validate_json(speed.model_dump_json()) == speed


async def test_throughput_is_of_all_askers_together() -> None:
    speed = await measure(Asked(), QUESTIONS, TARGET, requests=30, concurrency=3)
    assert speed.answers_per_second == pytest.approx(30 / speed.seconds)
    assert speed.tokens_per_second == pytest.approx(30 * 11 / speed.seconds)


async def test_a_backend_that_goes_away_ends_the_measurement_with_its_sentence() -> None:
    async def ask(endpoint: str, prompt: str) -> Attempt:
        raise ConfigError(f"{endpoint} {prompt} can't be reached.")

    with pytest.raises(ConfigError, match="can't be reached"):
        await measure(ask, QUESTIONS, TARGET, requests=9, concurrency=3)


def test_the_time_per_token_is_that_after_the_first() -> None:
    assert time_per_token(an_attempt(time_to_first_token=0.25, duration=1.25, output_tokens=11)) == 0.1
    assert time_per_token(an_attempt(output_tokens=1)) is None
    assert time_per_token(an_attempt(output_tokens=None)) is None


def test_percentiles_are_nearest_ranks() -> None:
    assert spread(range(1, 101)) == Spread(mean=50.5, p50=50, p90=90, p99=99, longest=100)
    assert spread([3, None, 1]) == Spread(mean=2, p50=1, p90=3, p99=3, longest=3)
    assert spread([None]) is None
