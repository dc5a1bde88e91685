"""The real Llama Stack and OGX, side by side in front of the same models."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from canopy.inference import open_inference
from canopy.settings import Settings
from tests.support.llama_stack import LLAMA_STACK, OGX, StackServer
from tests.support.model_server import FakeModelServer


@dataclass(frozen=True)
class Stacks:
    """Their addresses and what is behind them: the providers `embedded`, `fake` with its scripts, and `judge`."""

    urls: dict[str, str]  # by the distribution's name
    embedded_url: str
    judge: FakeModelServer  # tests register what it says


@asynccontextmanager
async def open_stacks(state: Path) -> AsyncGenerator[Stacks]:
    """Start all of it, with its state in folders below `state`."""
    async with AsyncExitStack() as ends:
        fake, judge = [await ends.enter_async_context(FakeModelServer()) for _ in range(2)]
        embedded = open_inference(None, Settings())
        ends.push_async_callback(embedded.close)
        await embedded.start()
        embedded_url = next(word.strip(",") for word in embedded.description.split() if word.startswith("http"))
        providers = {"embedded": embedded_url, "fake": fake.url, "judge": judge.url}
        servers = []
        for kind in (LLAMA_STACK, OGX):
            folder = state / kind.name
            folder.mkdir()
            servers.append(StackServer(kind, providers, folder, scoring=kind is LLAMA_STACK))
            ends.push_async_callback(servers[-1].stop)
        await asyncio.gather(*(server.start() for server in servers))
        yield Stacks({server.distribution.name: server.url for server in servers}, embedded_url, judge)
