"""A name that was only claimed, or that something else vouched for, gives nothing to whoever has that name later."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.test_cli import canopy
from tests.http.conftest import lab_vote, summarize, values, vote
from tests.http.signing_in import AUTH, TOKENS, credentials, guarded_server
from tests.support.model_server import FakeModelServer
from tests.support.server import Server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.own_server]

CLAIM = {"user_id": "ben"}  # which in open mode anybody can send
COMPARING: dict[str, Any] = {"summarize": {"prompt_b": "Be brief:"}, "ab_testing": {"enabled": True}}


class Switching:
    """A server whose mode changes."""

    def __init__(self, server: Server, model: FakeModelServer) -> None:
        self.server = server
        self.mode = "open"
        self._model = model
        self._reloads = 0

    async def to(self, mode: str) -> None:
        self.server.write_values(values(self._model, auth=AUTH[mode], **COMPARING))
        self._reloads += 1
        await self.server.event("config_reloaded", self._reloads)
        self.mode = mode

    @asynccontextmanager
    async def client(self, name: str = "ben") -> AsyncGenerator[httpx.AsyncClient]:
        headers = credentials(self.mode, name)
        async with httpx.AsyncClient(base_url=self.server.url, headers=headers, timeout=20) as it:
            yield it


@asynccontextmanager
async def switching(folder: Path, model: FakeModelServer) -> AsyncGenerator[Switching]:
    async with guarded_server(folder, model, "open") as (server, _):
        yield Switching(server, model)


async def compared(client: httpx.AsyncClient, **claim: str) -> dict[str, Any]:
    """A ballot on a new comparison."""
    answer = await client.post("/summarize/ab", json={"prompt": "A text.", "stream": False, **claim})
    return {"comparison_id": answer.json()["comparison_id"], "preference": "a", **claim}


async def test_taking_back_what_somebody_gave_under_my_name(model: FakeModelServer, tmp_path: Path) -> None:
    """A vote stays its voter's when the mode changes, and nobody else takes it back."""
    async with switching(tmp_path, model) as it:
        async with it.client() as somebody:
            votes = [await vote(somebody, lab_vote(**CLAIM))]
        for mode in ("token", "proxy", "token"):
            await it.to(mode)
            async with it.client() as ben:
                own = await vote(ben, lab_vote())
                mine = {"token": votes[1:2], "proxy": []}[mode]
                for one in votes:
                    expected = 200 if one in mine else 403
                    assert (await ben.delete(f"/feedback/{one}")).status_code == expected, (mode, one)
                votes.append(own)


async def test_replacing_what_somebody_gave_under_my_name(model: FakeModelServer, tmp_path: Path) -> None:
    """Each way of knowing Ben has its own vote on a response, under the same `Idempotency-Key` too."""
    async with switching(tmp_path, model) as it:
        async with it.client() as somebody:
            generation_id = (await summarize(somebody))["generation_id"]
        body = {"generation_id": generation_id, "rating": "thumbs_up", **CLAIM}
        key = {"Idempotency-Key": "the same everywhere"}
        given: dict[str, str] = {}
        for mode in ("open", "token", "proxy", "open", "token", "proxy"):
            if mode != it.mode:
                await it.to(mode)
            async with it.client() as ben:
                first = await vote(ben, body, **key)
                assert first == given.setdefault(mode, first), mode
                assert await vote(ben, body | {"rating": "thumbs_down"}) == first, mode
        assert len(set(given.values())) == 3
        await it.to("token")
        async with it.client("ana") as reviewer:
            shown = [entry["user_id"] for entry in (await reviewer.get("/feedback")).json()["feedback"]]
        assert shown == ["ben"] * 3


async def test_voting_on_a_comparison_that_somebody_asked_for_under_my_name(
    model: FakeModelServer, tmp_path: Path
) -> None:
    """A comparison belongs to whoever asked for it, and a ballot stays with whoever gave it."""
    async with switching(tmp_path, model) as it:
        async with it.client() as somebody:
            fresh, voted = await compared(somebody, **CLAIM), await compared(somebody, **CLAIM)
            assert (await somebody.post("/feedback/ab", json=voted)).status_code == 200
        await it.to("token")
        async with it.client() as ben:
            for ballot in (fresh, voted):
                stolen = await ben.post("/feedback/ab", json=ballot | {"preference": "b"})
                assert (stolen.status_code, stolen.json()["code"]) == (403, "comparison_foreign")
            own = await compared(ben)
            assert (await ben.post("/feedback/ab", json=own)).status_code == 200
        async with it.client("ana") as reviewer:
            report = (await reviewer.get("/feedback/ab")).json()
        assert report["statistics"]["voters"] == 2
        for mode in ("proxy", "open"):
            await it.to(mode)
            async with it.client() as another:
                stolen = await another.post("/feedback/ab", json=own | CLAIM | {"preference": "b"})
                assert (stolen.status_code, stolen.json()["code"]) == (403, "comparison_foreign"), mode


async def test_hiding_from_an_erasure_behind_another_mode(model: FakeModelServer, tmp_path: Path) -> None:
    """Whoever has to be forgotten is forgotten however they were known."""
    async with switching(tmp_path, model) as it:
        for mode in ("open", "token", "proxy"):
            if mode != it.mode:
                await it.to(mode)
            async with it.client() as ben:
                await summarize(ben, **CLAIM)
                await vote(ben, lab_vote(**CLAIM))
        url = f"sqlite:///{tmp_path / 'canopy.db'}"
        done = canopy("erase", "--user", "ben", CANOPY_STORE_URL=url)
        assert done.stdout == "Deleted 3 generations, 3 votes and 0 comparisons.\n"
        assert TOKENS["ben"] not in done.stdout
