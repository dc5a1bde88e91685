"""Attacks on the counting of requests: clients without number, addresses without end, replicas played off."""

import asyncio
import time

import httpx
import pytest
import yaml

from canopy.auth.limits import RateLimits
from canopy.base.errors import RateLimited
from canopy.config.access import RateLimitValues
from tests.http.conftest import ENVIRONMENT, lab_vote, values
from tests.http.signing_in import AUTH, ENTRIES, people
from tests.support.model_server import FakeModelServer
from tests.support.postgres import PostgresServer
from tests.support.server import running_server

pytestmark = pytest.mark.own_server


async def _count(limits: RateLimits, clients: int, requests: int) -> float:
    """Seconds for so many requests of the first so many clients, with what a count leaves for the loop to do later."""
    values = RateLimitValues(feedback="1000000/minute")
    began = time.process_time()
    for number in range(requests):
        limits.count("feedback", f"user:{number % clients}", values)
        await asyncio.sleep(0)
    return time.process_time() - began


@pytest.mark.asyncio(loop_scope="session")
async def test_making_counting_dear_by_a_hundred_thousand_clients() -> None:
    few, many = RateLimits(), RateLimits()
    await _count(few, 100, 100)
    await _count(many, 100_000, 100_000)
    dear = min([await _count(many, 100, 5_000) for _ in range(5)])
    assert dear < 5 * min([await _count(few, 100, 5_000) for _ in range(5)])


def test_locking_everybody_out_by_a_clock_that_was_wrong() -> None:
    """The database's clock goes a year ahead and is set right: who is at a limit waits for two windows, not a year."""
    now = 1_000.0
    limits = RateLimits(lambda: now)
    values = RateLimitValues(feedback="5/minute")
    limits.set_clock(now + 365 * 86_400)
    for _ in range(5):
        limits.count("feedback", "user:ana", values)
    limits.set_clock(now)
    for _ in range(5):
        limits.count("feedback", "user:ana", values)
    with pytest.raises(RateLimited):
        limits.count("feedback", "user:ana", values)
    now += 121
    limits.count("feedback", "user:ana", values)


@pytest.mark.asyncio(loop_scope="session")
async def test_playing_replicas_off_against_each_other(
    model: FakeModelServer, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A user who has used up the limit at one replica doesn't get it again at the other."""
    folders = [tmp_path_factory.mktemp("replica") for _ in range(2)]
    (folders[0] / "tokens.yaml").write_text(yaml.safe_dump(ENTRIES))
    env = ENVIRONMENT | {
        "CANOPY_STORE_URL": postgres.create_database(),
        "CANOPY_AUTH_TOKENS_FILE": str(folders[0] / "tokens.yaml"),
    }
    config = values(model, auth=AUTH["token"], rate_limits={"feedback": "20/day"})
    async with (
        running_server(folders[0], config, env=env) as one,
        running_server(folders[1], config, env=env) as two,
        people(one, "token") as (_, ben_at_one, _, _),
        people(two, "token") as (_, ben_at_two, cem_at_two, _),
    ):
        taken, refusing = 0, set[httpx.AsyncClient]()
        async with asyncio.timeout(60):
            while len(refusing) < 2:
                for client in (ben_at_one, ben_at_two):
                    if (await client.post("/feedback", json=lab_vote())).status_code == 200:
                        taken += 1
                    else:
                        refusing.add(client)
                if taken > 16:  # by what comes between two exchanges a limit may be exceeded
                    await asyncio.sleep(0.25)
        assert 20 <= taken <= 26
        assert (await cem_at_two.post("/feedback", json=lab_vote())).status_code == 200
