"""A webhook that a test looks into, and a process that watches experiments and tells it."""

import io
import json
import time
from pathlib import Path
from typing import Any

import yaml

from canopy.config.source import ConfigSource
from canopy.experiments.aftermath import AftermathWatch
from canopy.experiments.notifications import NotificationSender
from canopy.experiments.watch import ExperimentWatch
from canopy.stats.sequential import DecisionRule
from canopy.store.store import Store
from canopy.telemetry import Logs, Metrics, Telemetry, Traces
from tests.contract.store.records import Clock, an_experiment
from tests.support.answering import Answer, Question

RULE = DecisionRule(alpha=0.05, prior_strength=10, equivalence_margin=0.05, max_decisive_votes=1)
EXPERIMENT = an_experiment(rule=RULE, name="Less & <better>")


class Webhook:
    """What was asked of it, and what it answers next."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.answer: Answer = (200, {}, b"ok")
        self.slow = 0.0

    def __call__(self, question: Question) -> Answer:
        self.asked.append(question)
        time.sleep(self.slow)
        return self.answer

    @property
    def texts(self) -> list[str]:
        return [json.loads(question.body)["text"] for question in self.asked]


class Process:
    """One process that watches and tells."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        url: str,
        clock: Clock,
        *,
        origin: str | None = None,
        timeout: float = 20,
        comparing: bool = True,
        **notifications: Any,
    ) -> None:
        block = {name: getattr(EXPERIMENT, name) for name in ("model", "temperature", "max_tokens")}
        block |= {"prompt": EXPERIMENT.prompt_text, "prompt_b": EXPERIMENT.prompt_b_text}
        on = {
            "LLAMA_STACK_URL": "http://models:8321",
            "summarize": block,
            "feedback": {"enabled": True},
            "ab_testing": {"enabled": comparing},
        }
        self._values, self._on = folder / "values.yaml", on | {"notifications": {"enabled": True, **notifications}}
        self._values.write_text(yaml.safe_dump(self._on))
        self.output = io.BytesIO()
        self.metrics = Metrics()
        telemetry = Telemetry(Logs("debug", self.output), self.metrics, Traces())
        self.config = config = ConfigSource(self._values)
        of_experiments = config, store.experiments, store.experiment_news
        self.watch = ExperimentWatch(*of_experiments, telemetry, clock=clock)
        self.aftermath = AftermathWatch(config, store, telemetry, clock=clock)
        self.sender = NotificationSender(*of_experiments, store.variants, telemetry, url, origin, clock, timeout)

    async def compare(self, on: bool) -> None:
        self._values.write_text(yaml.safe_dump(self._on | {"ab_testing": {"enabled": on}}))
        for _ in range(2):  # once to see it, once to see that it is whole
            await self.config.reload()
        await self.work()

    async def work(self) -> None:
        await self.watch.look()
        await self.aftermath.look()
        await self.sender.send_due()

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.output.getvalue().splitlines()]
        return [line for line in lines if line["event"] == name]

    def counted(self, kind: str, result: str) -> float:
        value = self.metrics.registry.get_sample_value("canopy_notifications_total", {"kind": kind, "result": result})
        assert value is not None
        return value
