"""What happened to experiments: recorded once, and told of once by whoever of several processes sees it."""

import io
import json
from pathlib import Path

import yaml

from canopy.config.source import ConfigSource
from canopy.experiments.watch import ExperimentWatch
from canopy.stats.sequential import DecisionRule
from canopy.store.experiments.experiment import Experiment
from canopy.store.experiments.experiment_news import DueNews, ExperimentNews, ToldNews
from canopy.store.opening import open_store
from canopy.store.store import Store
from canopy.telemetry import Logs, Metrics, Telemetry, Traces
from tests.contract.store.records import Clock, a_ballot, a_comparison, an_experiment

NEWS = ExperimentNews(an_experiment().id, "promote_b")
RULE = DecisionRule(alpha=0.05, prior_strength=10, equivalence_margin=0.05, max_decisive_votes=2)


async def test_what_happened_is_news_once_and_goes_with_its_experiment(store: Store) -> None:
    assert not await store.experiment_news.record(NEWS)  # of an experiment that isn't there
    await a_comparison(store, user_id="ben")
    assert [await store.experiment_news.record(NEWS) for _ in range(2)] == [True, False]
    assert await store.experiment_news.record(NEWS._replace(what="stale"))
    assert (await store.experiment_news.known()).keys() == {NEWS, NEWS._replace(what="stale")}
    await store.deletion.erase(user_id="ben")
    assert await store.experiment_news.known() == {}


async def test_what_happens_again_is_news_again_and_due_again(store: Store) -> None:
    await a_comparison(store)
    assert await store.experiment_news.record(NEWS, tell=True)
    (due,) = await store.experiment_news.claim(60_000_000)
    await store.experiment_news.settle(ToldNews(due.news, None, 3))
    first = (await store.experiment_news.known())[NEWS]
    assert not await store.experiment_news.record(NEWS, since=first, tell=True)
    assert await store.experiment_news.record(NEWS, since=first + 1, tell=True)
    again = (await store.experiment_news.known())[NEWS]
    assert again > first
    assert await store.experiment_news.claim(60_000_000) == [DueNews(NEWS, again, 0)]


class Process:
    """What one process logs and shows."""

    def __init__(self, store: Store, values: Path) -> None:
        self._log = io.BytesIO()
        self.metrics = Metrics()
        telemetry = Telemetry(Logs("info", self._log), self.metrics, Traces())
        self.watch = ExperimentWatch(ConfigSource(values), store.experiments, store.experiment_news, telemetry)

    @property
    def decided(self) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self._log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == "experiment_decided"]

    @property
    def states(self) -> set[tuple[str, str]]:
        """The states that features are in, each of which has a 0 for the others."""
        samples = [sample for family in self.metrics.experiments.state.collect() for sample in family.samples]
        assert len(samples) == 6 * len({sample.labels["feature"] for sample in samples})
        return {(it.labels["feature"], it.labels["state"]) for it in samples if it.value == 1}


def written(folder: Path, experiment: Experiment, *, comparing: bool = True, prompt: str = "") -> Path:
    """Values that have this experiment in force, or another prompt."""
    block = {
        "prompt": prompt or experiment.prompt_text,
        "prompt_b": experiment.prompt_b_text,
        "model": experiment.model,
        "temperature": experiment.temperature,
        "max_tokens": experiment.max_tokens,
    }
    on = {
        "LLAMA_STACK_URL": "http://models:8321",
        "summarize": block,
        "feedback": {"enabled": True},
        "ab_testing": {"enabled": comparing},
    }
    path = folder / "values.yaml"
    path.write_text(yaml.safe_dump(on | {"features": {"translate": {"prompt": "Translate:"}}}))
    return path


async def _ballot(store: Store, experiment: Experiment, user: str) -> None:
    comparison = await a_comparison(store, experiment=experiment, user_id=user)
    await store.comparisons.record_ballot(a_ballot(comparison, "b"))


async def test_a_decision_is_told_once_by_one_of_all_processes_and_not_again_after_a_start(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    experiment = an_experiment(rule=RULE)
    values = written(tmp_path, experiment)
    replica = open_store(store_url, clock=Clock())
    await replica.start()
    one, two = Process(store, values), Process(replica, values)
    await one.watch.look()
    assert one.states == {("summarize", "none"), ("translate", "none")}
    await _ballot(store, experiment, "ana")
    await one.watch.look()
    assert (one.states, one.decided) == ({("summarize", "collecting"), ("translate", "none")}, [])
    await _ballot(store, experiment, "ben")
    for process in (one, two, one):
        await process.watch.look()
        assert ("summarize", "inconclusive") in process.states
    started = Process(replica, values)
    await started.watch.look()
    await replica.close()
    (line,) = one.decided + two.decided + started.decided
    assert (line["experiment_id"], line["feature"], line["status"]) == (experiment.id, "summarize", "inconclusive")
    assert (line["voters"], line["wins_b"], line["win_rate_b"]) == (2, 2, 1.0)
    assert not any(text in str(line) for text in (experiment.prompt_text, experiment.prompt_b_text))


async def test_of_an_experiment_that_does_not_run_nothing_is_told(store: Store, tmp_path: Path) -> None:
    experiment = an_experiment(rule=RULE)
    for user in ("ana", "ben"):
        await _ballot(store, experiment, user)
    for comparing, prompt in ((False, ""), (True, "Another prompt:")):
        process = Process(store, written(tmp_path, experiment, comparing=comparing, prompt=prompt))
        await process.watch.look()
        assert process.states == {("summarize", "none"), ("translate", "none")}
        assert process.decided == []
    assert {it.what for it in await store.experiment_news.known()} == {"paused"}
