"""What the embedded model makes of news, by prompt, temperature, length and leaning: how much the text doesn't have.

The texts are 30 of the 300 that come with `gensim`; prompts were looked for with others of them. A shorter answer is
the beginning of a longer one, so that one run tells of every length. `leaning` is how much likelier the end of the turn
is made (`canopy.inference.embedded.LEANING`).
"""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from bench.faithfulness import Kept, kept
from bench.figures import Bound, Figure
from bench.processes import ROOT
from canopy.config.feature_values import EMBEDDED_MODEL_DEFAULTS, MODEL_SERVER_DEFAULTS
from canopy.inference.embedded import END_TOKEN_BIAS, EmbeddedInference
from canopy.inference.llama_stack import LlamaStackInference
from canopy.inference.protocol import ChatRequest, Completed, Inference, Message

_NEWS = ROOT / ".cache/programs/gensim/test/test_data/lee_background.cor"  # `make install-dev` unpacks it
_EVERY = 10  # of the texts
_AT_ONCE = 4  # as many as the embedded server has slots for
_PATIENCE = 600.0  # seconds: a machine with other things to do may take them


@dataclass(frozen=True, slots=True)
class Asking:
    """A way to ask."""

    name: str  # of the prompt
    prompt: str
    temperature: float
    leaning: float


_A_SERVERS = ("a server's", MODEL_SERVER_DEFAULTS.prompt)
_EMBEDDED = ("embedded", EMBEDDED_MODEL_DEFAULTS.prompt)
_ONE = ("one sentence", "Summarize the text in one sentence.")
((_END, _LEANING),) = END_TOKEN_BIAS["logit_bias"]
IN_FORCE = Asking(*_EMBEDDED, EMBEDDED_MODEL_DEFAULTS.temperature, _LEANING)
ASKINGS = (
    IN_FORCE,
    Asking(*_A_SERVERS, MODEL_SERVER_DEFAULTS.temperature, 0),  # as any other server is asked
    Asking(*_EMBEDDED, 0, 0),
    Asking(*_ONE, 0, _LEANING),
    Asking(*_A_SERVERS, 0, _LEANING),
    Asking(*_EMBEDDED, 0.2, _LEANING),
    Asking(*_EMBEDDED, 0.9, _LEANING),
    Asking(*_EMBEDDED, 0, 5),
    Asking(*_A_SERVERS, 0, 0),
)
LENGTHS = (60, 100, 150)  # tokens, the longest last

# What was measured when it was chosen, with room for another machine's arithmetic.
_BOUNDS = {
    "numbers that the text has": 80,
    "names that the text has": 85,
    "answers with nothing made up": 60,
    "answers that are summaries": 90,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply in the pieces that it came in, which are tokens."""

    text: str
    pieces: list[str]
    ended: bool  # by itself

    def at(self, length: int) -> Kept:
        """What it would have been with `max_tokens` at this length."""
        whole = self.ended and len(self.pieces) <= length
        return kept(self.text, "".join(self.pieces[:length]), whole=whole)


def measure(_folder: Path, *, quick: bool) -> list[Figure]:
    """Prints the grid; the figures are of what is in force where the values say nothing."""
    texts = news()[::_EVERY]
    return asyncio.run(_grid(texts, ASKINGS[:2] if quick else ASKINGS))


def news() -> list[str]:
    """The texts, out of the package that has them."""
    return [line.strip() for line in _NEWS.read_text().splitlines()]


async def _grid(texts: list[str], askings: tuple[Asking, ...]) -> list[Figure]:
    figures: list[Figure] = []
    print(f"{'prompt':<14}temperature  leaning  length  numbers kept   names kept  nothing made up    summaries")
    for asking in askings:
        replies = await _ask(texts, asking)
        for length in LENGTHS:
            found = [reply.at(length) for reply in replies]
            how = f"{asking.name:<14}{asking.temperature:>11g}{asking.leaning:>9g}{length:>8}"
            print(f"{how}  {_row(found)}", flush=True)
            if asking == IN_FORCE and length == EMBEDDED_MODEL_DEFAULTS.max_tokens:
                figures = list(_figures(found))
    return figures


async def _ask(texts: list[str], asking: Asking) -> list[Reply]:
    def connect(url: str, key: str) -> Inference:
        return LlamaStackInference(
            url,
            connect_timeout=_PATIENCE,
            first_token_timeout=_PATIENCE,
            token_timeout=_PATIENCE,
            retries=2,  # the server ends idle connections, also while they are taken up again
            api_key=key,
            extra_body={"logit_bias": [[_END, asking.leaning]]},
        )

    inference = EmbeddedInference(connect)
    places = asyncio.Semaphore(_AT_ONCE)

    async def ask(text: str) -> Reply:
        pieces: list[str] = []
        messages = (Message("system", asking.prompt), Message("user", text))
        request = ChatRequest("", messages, asking.temperature, LENGTHS[-1])
        async with places, aclosing(inference.stream(request)) as reply:
            async for item in reply:
                if isinstance(item, Completed):
                    return Reply(text, pieces, ended=item.finish_reason == "stop")
                pieces += item
        raise AssertionError  # a stream ends with Completed or an error

    await inference.start()
    try:
        return await asyncio.gather(*map(ask, texts))
    finally:
        await inference.close()


def _shares(found: list[Kept]) -> dict[str, tuple[int, int]]:
    """What there is, as a part of how many."""
    numbers, names = sum(it.numbers for it in found), sum(it.names for it in found)
    return {
        "numbers that the text has": (numbers - sum(len(it.invented_numbers) for it in found), numbers),
        "names that the text has": (names - sum(len(it.invented_names) for it in found), names),
        "answers with nothing made up": (sum(not it.invents for it in found), len(found)),
        "answers that are summaries": (sum(it.is_summary for it in found), len(found)),
    }


def _row(found: list[Kept]) -> str:
    return "  ".join(f"{part:>4} of {whole:<4}" for part, whole in _shares(found).values())


def _figures(found: list[Kept]) -> Iterator[Figure]:
    for name, (part, whole) in _shares(found).items():
        yield Figure(f"embedded: {name}", 100 * part / max(whole, 1), "%", bound=Bound(_BOUNDS[name], at_least=True))
