"""`python -m bench [PART|all] [--quick] [--rows N] [--json FILE] [--strict]`."""

import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click
import orjson

from bench.figures import Figure, percentile, table
from bench.processes import scratch

PARTS = ("start", "streams", "load", "comparisons", "votes", "export", "pages")  # of `all`
FILLING = "search"  # to fill its databases takes a while
ALONE = (FILLING, "embedded")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("part", type=click.Choice([*PARTS, *ALONE, "all"]), default="all")
@click.option("--quick", is_flag=True, help="Fewer rounds and smaller databases: a look, not a measurement.")
@click.option("--json", "report", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here too.")
@click.option("--strict", is_flag=True, help="Exit with status 1 when a bound is missed.")
@click.option("--rows", type=click.IntRange(min=2_000), help="Votes in the large database of `search`.")
def main(part: str, quick: bool, rows: int | None, report: Path | None, strict: bool) -> None:
    """Measure what Canopy costs against the least that a server can do, on this machine, now."""
    print(_machine())
    figures: list[Figure] = []
    for name in PARTS if part == "all" else (part,):
        measure: Callable[..., list[Figure]] = import_module(f"bench.{name}").measure
        began = time.monotonic()
        print(f"Measuring: {name} …", file=sys.stderr, flush=True)
        with scratch() as folder:
            found = measure(folder, quick=quick, **({"rows": rows} if name == FILLING else {}))
        print(f"{table(found)}\n\n({name}: {time.monotonic() - began:.0f} s)\n", flush=True)
        figures += found
    if report:
        report.write_bytes(orjson.dumps([figure.as_json() for figure in figures], option=orjson.OPT_INDENT_2))
    missed = [figure.name for figure in figures if figure.met is False]
    judged = sum(figure.met is not None for figure in figures)
    print(f"{judged - len(missed)} of {judged} bounds are met." + "".join(f"\n  missed: {name}" for name in missed))
    if missed and strict:
        sys.exit(1)


def _machine() -> str:
    """What else keeps this machine busy: the bounds in seconds assume a machine that has time."""
    began = time.process_time()
    for _ in range(1_000_000):
        pass
    spent = (time.process_time() - began) * 1e3
    load = os.getloadavg()[0]
    late = percentile([_late() for _ in range(400)], 0.99) * 1e3
    return (
        f"{os.cpu_count()} cores, load {load:.1f} before the start; a million empty loops take {spent:.0f} ms; "
        f"a sleeper wakes up to {late:.0f} ms late (p99): no latency below can be shorter.\n"
    )


def _late() -> float:
    """How many seconds too long a sleep of 5 ms takes, with nothing else to do: the time that others take."""
    began = time.perf_counter()
    time.sleep(0.005)
    return time.perf_counter() - began - 0.005


if __name__ == "__main__":
    main()
