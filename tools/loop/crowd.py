"""A crowd of synthetic people in front of a server: `python -m tools.loop.crowd vote --backend http://127.0.0.1:8000`.

Three of four like it brief, the fourth likes it long. None of them knows which prompt wrote what.
"""

import asyncio
import itertools
from collections.abc import Callable

import click
import httpx

from canopy.cli.console import Console
from tools.loop import people
from tools.loop.meter import Meter, satisfaction_bars

TEXTS = (
    "The new bridge over the Neckar in Esslingen opens on Monday. Buses save ten minutes, and cyclists have a lane of "
    "their own.",
    "Night trains run between Vienna and Hamburg again. The first one left on Sunday with 280 people on board. A bed "
    "costs from 59 euros, a seat from 29.",
)
SUGGESTIONS = (
    "The new bridge over the Neckar in Esslingen opens on Monday.",
    "Night trains run between Vienna and Hamburg again.",
)
_BRIEF = 0.6  # of the text's length
_MOST = 120  # people: nine of ten experiments like this one end before
_RATERS = 5

_backend = click.option("--backend", required=True, metavar="URL", help="The server.")


@click.group()
def crowd() -> None:
    """Let synthetic people use a server."""


@crowd.command()
@_backend
def vote(backend: str) -> None:
    """Let them compare two answers to a text, one person after the other, until their votes decide."""
    asyncio.run(_vote(backend))


@crowd.command()
@_backend
def rate(backend: str) -> None:
    """Let five people ask, vote on the answer, and say what they miss."""
    asyncio.run(_rate(backend))


@crowd.command()
@_backend
def ask(backend: str) -> None:
    """Let one person ask, and show the answer."""
    asyncio.run(_ask(backend))


def _brevity(response: str) -> float:
    return -len(response)


def _pleased_by(length: int, *, contrary: bool) -> Callable[[str], bool]:
    """Whether somebody is content with a response: with one of at most this length, or a contrary one with others."""
    return lambda response: (len(response) <= length) != contrary


async def _vote(backend: str) -> None:
    async with people.client(backend) as http:
        with Meter() as meter:
            for person in range(_MOST):
                await people.choose(http, person, TEXTS[0], _brevity, contrary=person % 4 == 3)
                found = await people.experiment(http)
                meter.show(found)
                if found["decision"]["status"] != "collecting":
                    break
        Console().print(found["decision"]["sentence"])


async def _rate(backend: str) -> None:
    async with people.client(backend) as http:
        for number, (text, better) in zip(range(_RATERS), itertools.cycle(zip(TEXTS, SUGGESTIONS, strict=True))):
            happy = _pleased_by(round(_BRIEF * len(text)), contrary=number == 3)
            complaint = {"reasons": ["too_long"], "comment": "Too long for one glance.", "suggestion": better}
            await people.rate(http, text, happy, **complaint)
        its = (await people.experiment(http))["experiment"]
        names = {its["prompt"]["id"]: "Prompt A", its["prompt_b"]["id"]: "Prompt B"}
        found = await people.satisfaction(http)
        for line in satisfaction_bars([(name, *found[key]) for key, name in names.items() if key in found]):
            Console().print(line)


async def _ask(backend: str) -> None:
    async with people.client(backend) as http:
        prompt_id = await people.prompt_in_force(http)
        answer = await people.ask(http, TEXTS[0])
    Console().print(f"{TEXTS[0]}\n→ {answer['response']}\n  by prompt {prompt_id}")


if __name__ == "__main__":
    try:
        crowd()
    except httpx.HTTPError as error:
        raise SystemExit(f"The server can't be asked, or refuses: {error!r}") from error
