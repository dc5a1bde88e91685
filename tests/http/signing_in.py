"""People with tokens and behind a proxy, for the tests of who may do what."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.http.conftest import ENVIRONMENT, values
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

TOKENS = {name: f"{name}-0123456789abcdef" for name in ("ana", "ben", "cem")}
CONTROLLER = "rollouts"
ENTRIES = [
    {"name": name, "role": "reviewer" if name == "ana" else "user", "token": token} for name, token in TOKENS.items()
] + [{"name": CONTROLLER, "role": "controller", "token": f"{CONTROLLER}-0123456789abcdef"}]
PROXY_SECRET = "proxy-0123456789abcdef0123456789abcdef"
AUTH: dict[str, dict[str, Any]] = {
    "open": {"mode": "open"},
    "token": {"mode": "token"},
    "proxy": {"mode": "proxy", "reviewer_users": ["ana"], "controller_users": [CONTROLLER]},
}


def credentials(mode: str, name: str | None) -> dict[str, str]:
    """The headers with which somebody asks; Ana reviews, Ben and Cem don't, and CONTROLLER reads decisions.

    Behind a proxy they are those that the proxy adds. Of nobody it knows no user.
    """
    if mode == "proxy":
        return {"X-Canopy-Proxy-Secret": PROXY_SECRET} | ({"X-Forwarded-User": name} if name else {})
    return {"Authorization": f"Bearer {name}-0123456789abcdef"} if mode == "token" and name else {}


def secret_file(folder: Path) -> dict[str, str]:
    """The environment that lets a server know the proxy's secret."""
    path = folder / "proxy-secret"
    path.write_text(PROXY_SECRET + "\n")
    return {"CANOPY_AUTH_PROXY_SECRET_FILE": str(path)}


@asynccontextmanager
async def guarded_server(
    folder: Path, model: FakeModelServer, mode: str, *, env: Mapping[str, str] | None = None, **changes: Any
) -> AsyncGenerator[tuple[Server, Path]]:
    """A server in a mode, with everything on, and its file of tokens."""
    model.scripts.clear()
    tokens = folder / "tokens.yaml"
    tokens.write_text(yaml.safe_dump(ENTRIES))
    both = {"summarize": {"prompt_b": "Be brief:"}, "ab_testing": {"enabled": True}}
    config = values(model, auth=AUTH[mode], **both | changes)
    own = {"CANOPY_AUTH_TOKENS_FILE": str(tokens), "CANOPY_KEEPALIVE_INTERVAL_SECONDS": "15"}
    environment = ENVIRONMENT | own | secret_file(folder) | dict(env or {})
    async with running_server(folder, config, env=environment) as server:
        yield server, tokens


@asynccontextmanager
async def people(server: Server, mode: str) -> AsyncGenerator[tuple[httpx.AsyncClient, ...]]:
    """Ana's, Ben's, Cem's and nobody's clients."""
    async with AsyncExitStack() as stack:
        clients = [
            httpx.AsyncClient(base_url=server.url, headers=credentials(mode, name), timeout=20)
            for name in (*TOKENS, None)
        ]
        yield tuple([await stack.enter_async_context(client) for client in clients])
