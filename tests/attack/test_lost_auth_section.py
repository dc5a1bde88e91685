"""A values file that loses what it says of access, by half a write or a slip, opens nothing."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.http.conftest import ENVIRONMENT, values
from tests.http.signing_in import AUTH, ENTRIES, credentials, secret_file
from tests.support.model_server import FakeModelServer
from tests.support.scraping import scrape_until
from tests.support.server import running_server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.own_server]

LOSSES: dict[str, Any] = {
    "no section": lambda text: text.replace("auth:", "rate_limits:\n  by_address: true\nx:").partition("\nx:")[0],
    "an empty section": lambda text: text.partition("auth:")[0] + "auth: {}\n",
    "nothing in it": lambda text: text.partition("auth:")[0] + "auth:\n",
    "no mode": lambda text: text.replace("  mode: ", "  sign_out_path: /x # "),
    "half the mode": lambda text: text.partition("  mode:")[0] + "  mode: pro\n",
    "no file to speak of": lambda _: "feedback: {enabled: true}\n",
}


def document(model: FakeModelServer, auth: dict[str, Any]) -> str:
    """The values as text, with `auth` at the end and `mode` first in it."""
    rest = yaml.safe_dump(values(model), sort_keys=False)
    return rest + yaml.safe_dump({"auth": auth}, sort_keys=False)


def environment(folder: Path) -> dict[str, str]:
    (folder / "tokens.yaml").write_text(yaml.safe_dump(ENTRIES))
    return ENVIRONMENT | {"CANOPY_AUTH_TOKENS_FILE": str(folder / "tokens.yaml")} | secret_file(folder)


@pytest.mark.parametrize("mode", ["token", "proxy"])
async def test_losing_the_section_auth(model: FakeModelServer, tmp_path: Path, mode: str) -> None:
    good = document(model, AUTH[mode])
    async with (
        running_server(tmp_path, good, env=environment(tmp_path)) as server,
        httpx.AsyncClient(base_url=server.url, timeout=30, trust_env=False) as nobody,
    ):
        for number, lose in enumerate(LOSSES.values(), 1):
            server.write_values(lose(good))
            assert "auth" in (await server.event("config_rejected", number))[-1]["error"]
            assert (await nobody.get("/feedback")).status_code == (401 if mode == "token" else 403)
            assert (await nobody.get("/feedback", headers=credentials(mode, "ben"))).status_code == 403
            assert (await nobody.get("/feedback", headers=credentials(mode, "ana"))).status_code == 200
        server.write_values(document(model, {"mode": "open"}))  # where the file says so itself, it is meant
        await server.event("config_reloaded")
        assert (await nobody.get("/feedback")).status_code == 200


@pytest.mark.parametrize("loss", ["no section", "no mode"])
async def test_losing_it_before_a_restart(model: FakeModelServer, tmp_path: Path, loss: str) -> None:
    """A process that has tokens, or the proxy's secret, doesn't start open where the file didn't ask for it."""
    lost = LOSSES[loss](document(model, AUTH["token"]))
    with pytest.raises(RuntimeError, match=r"status 1(.|\n)*`auth.mode` is missing"):
        async with running_server(tmp_path, lost, env=environment(tmp_path)):
            pass


@pytest.mark.parametrize("mode", ["token", "proxy"])
async def test_a_reload_into_a_mode_that_lacks_what_it_needs(model: FakeModelServer, tmp_path: Path, mode: str) -> None:
    async with (
        running_server(tmp_path, values(model), env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, trust_env=False) as nobody,
    ):
        server.write_values(document(model, AUTH[mode]))
        (rejected,) = await server.event("config_rejected")
        assert f"`auth.mode` is `{mode}`, but CANOPY_AUTH_" in rejected["error"]
        assert (await nobody.get("/identity")).json()["mode"] == "open"


async def test_an_open_door_is_told_and_measured(model: FakeModelServer, tmp_path: Path) -> None:
    everywhere = environment(tmp_path) | {"CANOPY_HOST": "0.0.0.0"}  # noqa: S104 - what is tested
    everywhere |= {"CANOPY_OPERATIONS_HOST": "127.0.0.1", "CANOPY_OPERATIONS_PORT": "0"}
    async with (
        running_server(tmp_path, document(model, {"mode": "open"}), env=everywhere) as server,
        httpx.AsyncClient(base_url=server.operations_url or "") as client,
    ):
        (warning,) = await server.event("access_open")
        assert (warning["level"], warning["address"]) == ("warning", server.url)
        await scrape_until(client, "canopy_access_open 1.0")
        server.write_values(document(model, AUTH["token"]))
        await server.event("config_reloaded")
        await scrape_until(client, "canopy_access_open 0.0")
        server.write_values(document(model, {"mode": "open"}))
        await server.event("access_open", 2)
        await scrape_until(client, "canopy_access_open 1.0")
