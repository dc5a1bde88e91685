"""A scrape is encoded beside the event loop, once for all who ask within a second."""

import asyncio
import threading
from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from canopy.telemetry.exposition import Exposition


class Witness(Collector):
    """Says in which thread each encoding ran."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def collect(self) -> Iterable[Metric]:
        self.threads.append(threading.get_ident())
        yield GaugeMetricFamily("encodings", "So far.", value=len(self.threads))


async def test_all_who_ask_at_once_get_one_encoding_from_another_thread() -> None:
    registry, witness = CollectorRegistry(), Witness()
    registry.register(witness)
    witness.threads.clear()  # registering collects once
    exposition = Exposition(registry)
    answers = await asyncio.gather(*(exposition.read("text/plain") for _ in range(50)))
    assert len(set(answers)) == len(witness.threads) == 1
    assert witness.threads[0] != threading.get_ident()


async def test_what_a_client_accepts_chooses_between_two_formats_whatever_else_it_says() -> None:
    exposition = Exposition(CollectorRegistry())
    for accept, start in (
        ("", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("text/plain; version=1.0.0; escaping=values", "text/plain; version=0.0.4"),
        ("application/openmetrics-text; version=3.2.1.7; escaping=dots", "application/openmetrics-text; version=1.0.0"),
        ("application/openmetrics-text; version=none", "application/openmetrics-text; version=1.0.0"),
    ):
        assert (await exposition.read(accept))[1].startswith(start)
