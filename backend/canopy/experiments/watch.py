"""Looks at the running experiments again and again, and tells of what becomes of them, each once.

It shows as a metric and in the log what the votes prove, and leaves to the store what the webhook is to be told.

What a look costs doesn't grow with the votes. Where nothing is compared it reads nothing, unless the values are new.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import get_args

from canopy.base.background import Alarm
from canopy.base.errors import StoreError
from canopy.config.flags import comparison_flag
from canopy.config.loading import Config
from canopy.config.source import ConfigSource
from canopy.experiments.decision import DecisionStatus, status
from canopy.experiments.decision_in_brief import decision_in_brief
from canopy.experiments.notifications import STALE, kind_of_news
from canopy.experiments.standing import running_experiments
from canopy.store.experiments.experiment import Experiment
from canopy.store.experiments.experiment_news import ExperimentNews, ExperimentNewsStore
from canopy.store.experiments.experiments import ExperimentStore
from canopy.store.feedback.hourly_counts import DAY
from canopy.telemetry import Telemetry
from canopy.telemetry.experiment_events import ExperimentDecided, ExperimentStale
from canopy.telemetry.metrics.experiments import NONE

_STATES: tuple[str, ...] = (NONE, *get_args(DecisionStatus.__value__))
_LONGEST = 60.0  # seconds between two looks: other replicas' ballots are seen then
_SHORTEST = 2.0  # the same while ballots come
_STALE_AFTER = 7 * DAY  # microseconds without anybody's first ballot, counted from the end of the day of the last
# As the store has them: when an experiment was last seen not to run, and to run again.
_PAUSED, _RESUMED = "paused", "resumed"


class ExperimentWatch:
    """Watches the experiments of the values in force."""

    def __init__(
        self,
        config: ConfigSource,
        experiments: ExperimentStore,
        news: ExperimentNewsStore,
        telemetry: Telemetry,
        on_news: Callable[[], None] = lambda: None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        """`on_news` is called when there is something to tell the webhook. `clock` gives microseconds."""
        self._config = config
        self._on_news = on_news
        self._clock = clock
        self._experiments = experiments
        self._news = news
        self._telemetry = telemetry
        self._alarm = Alarm()
        self._seen: Config | None = None  # whose pauses are noted
        self._known: dict[ExperimentNews, int] = {}  # as of then, and what has come since

    def wake(self) -> None:
        """Look soon, since there is a ballot, or the values have changed."""
        self._alarm.ring()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with contextlib.suppress(StoreError):  # which the store has logged
                await self.look()
            await asyncio.sleep(_SHORTEST)
            await self._alarm.sleep(_LONGEST - _SHORTEST)

    async def look(self) -> None:
        """Show the state of each feature's experiment, and tell of decisions that nobody has told of."""
        config = self._config.current
        features = [it for it in config.features.values() if it.name == it.flag]
        states = dict.fromkeys((it.name for it in features), NONE)
        found: dict[str, tuple[Experiment, DecisionStatus]] = {}
        if any(comparison_flag(it, config.values).on for it in features):
            found = await self._running(config)
        for feature, (_, reached) in found.items():
            states[feature] = reached
        self._telemetry.metrics.experiments.show(states, _STATES)
        if config is not self._seen:
            await self._note_pauses(config)
            self._seen = config
        for experiment, reached in found.values():
            if reached != "collecting":
                await self._tell_decision(experiment, config)
            else:
                await self._tell_silence(experiment, config)

    async def _running(self, config: Config) -> dict[str, tuple[Experiment, DecisionStatus]]:
        """Return the experiment that runs on each feature's prompts, with what its votes prove."""
        known, counts = await asyncio.gather(self._experiments.all(), self._experiments.ballot_counts_by_experiment())
        found: dict[str, tuple[Experiment, DecisionStatus]] = {}
        for feature, it in running_experiments(known, config).items():
            firsts = counts[it.id][1] if it.id in counts else None
            wins_a, wins_b = (firsts.wins_prompt, firsts.wins_prompt_b) if firsts else (0, 0)
            found[feature] = it, status(wins_a, wins_b, it.rule)
        return found

    async def _note_pauses(self, config: Config) -> None:
        """Note what these values have stopped, or let go on: a pause is no silence, whoever was there to see it."""
        experiments, self._known = await asyncio.gather(self._experiments.all(), self._news.known())
        running = {it.id for it in running_experiments(experiments, config).values()}
        for it in experiments:
            paused, resumed = self._last(it, _PAUSED), self._last(it, _RESUMED)
            if (paused > resumed) != (it.id not in running):
                what, before = (_RESUMED, paused) if it.id in running else (_PAUSED, resumed)
                news = ExperimentNews(it.id, what)
                await self._news.record(news, since=before + 1)
                self._known[news] = self._clock()

    def _last(self, experiment: Experiment, what: str) -> int:
        """Return when it last happened, as far as is known; 0 for never."""
        return self._known.get(ExperimentNews(experiment.id, what), 0)

    async def _is_news(self, experiment: Experiment, what: str, config: Config, since: int = 0) -> bool:
        """Record what happened, and whether the webhook is to be told; return whether nobody has, from `since` on."""
        news = ExperimentNews(experiment.id, what)
        if self._known.get(news, -1) >= since:
            return False
        values = config.values.notifications
        tell = values.enabled and kind_of_news(what) in values.events
        is_new = await self._news.record(news, since=since, tell=tell)
        self._known[news] = self._clock()
        if is_new:
            self._on_news()
        return is_new

    async def _tell_silence(self, experiment: Experiment, config: Config) -> None:
        """Tell that nobody new has voted for a week: once of each silence, which a vote or a pause ends."""
        last = await self._experiments.last_first_ballot(experiment.id) or experiment.created_at
        if self._stale_since(experiment, last) is None:
            return
        self._known = await self._news.known()  # with what other processes have seen meanwhile
        since = self._stale_since(experiment, last)
        if since is not None and await self._is_news(experiment, STALE, config, since):
            firsts = await self._experiments.first_ballot_counts(experiment.id)
            event = ExperimentStale(experiment.feature, experiment.id, firsts.voters, config.revision)
            self._telemetry.emit(event)

    def _stale_since(self, experiment: Experiment, last: int) -> int | None:
        """Return since when nobody new has voted, where that is a week or longer and nobody has told of it."""
        since = max(last, self._last(experiment, _RESUMED))
        is_untold = self._last(experiment, STALE) < since
        return since if is_untold and self._clock() - since >= _STALE_AFTER else None

    async def _tell_decision(self, experiment: Experiment, config: Config) -> None:
        decision = decision_in_brief(experiment, await self._experiments.first_ballot_counts(experiment.id), config)
        if decision["status"] == "collecting":  # votes were taken back meanwhile
            return
        if await self._is_news(experiment, decision["status"], config):
            self._telemetry.emit(
                ExperimentDecided(
                    feature=experiment.feature,
                    experiment_id=experiment.id,
                    status=decision["status"],
                    sentence=decision["sentence"],
                    voters=decision["voters"],
                    n=decision["n"],
                    wins_a=decision["wins_a"],
                    wins_b=decision["wins_b"],
                    win_rate_b=decision["win_rate_b"],
                    e_a=decision["e_a"],
                    e_b=decision["e_b"],
                    prompt_id=decision["prompt_id"],
                    prompt_b_id=decision["prompt_b_id"],
                    config_revision=decision["config_revision"],
                )
            )
