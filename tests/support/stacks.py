"""The real Llama Stack and OGX, side by side in front of the same models."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from canopy.inference.embedded import EmbeddedInference
from canopy.inference.llama_stack import LlamaStackInference
from canopy.inference.protocol import Inference
from tests.support.llama_stack import LLAMA_STACK, OGX, StackServer
from tests.support.model_server import FakeModelServer


@dataclass(frozen=True)
class Stacks:
    """Their addresses and what is behind them: the providers `embedded`, `fake` with its scripts, and `judge`."""

    urls: dict[str, str]  # by the distribution's name
    embedded_url: str
    embedded_key: str  # which the embedded model asks for
    judge: FakeModelServer  # tests register what it says


@asynccontextmanager
async def open_stacks(state: Path) -> AsyncGenerator[Stacks]:
    """Start all of it, with its state in folders below `state`."""
    async with AsyncExitStack() as ends:
        fake, judge = [await ends.enter_async_context(FakeModelServer()) for _ in range(2)]
        told: list[str] = []

        def connect(url: str, key: str) -> Inference:
            told[:] = url, key
            return LlamaStackInference(
                url, connect_timeout=5, first_token_timeout=60, token_timeout=60, retries=0, api_key=key
            )

        embedded = EmbeddedInference(connect)
        ends.push_async_callback(embedded.close)
        await embedded.start()
        embedded_url, embedded_key = told
        providers = {"embedded": embedded_url, "fake": fake.url, "judge": judge.url}
        servers = []
        for kind in (LLAMA_STACK, OGX):
            folder = state / kind.name
            folder.mkdir()
            servers.append(
                StackServer(kind, providers, folder, scoring=kind is LLAMA_STACK, keys={"embedded": embedded_key})
            )
            ends.push_async_callback(servers[-1].stop)
        await asyncio.gather(*(server.start() for server in servers))
        yield Stacks({server.distribution.name: server.url for server in servers}, embedded_url, embedded_key, judge)
