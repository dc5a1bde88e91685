"""How long an experiment takes, by what a server has counted: GET /experiments/plan, `canopy ab plan` and the pages."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from canopy.experiments.assignment import experiment_id
from canopy.generation.prompts import prompt_of
from canopy.store.experiments.experiment import Preference
from canopy.store.feedback.hourly_counts import DAY
from canopy.store.opening import migrate_database, open_store
from tests.contract.store.records import Clock, a_ballot, a_comparison, a_generation, a_vote, an_experiment
from tests.http.comparing import A, B, ab_values
from tests.http.conftest import ENVIRONMENT
from tests.support.commands import canopy
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")
PAGE = {"accept": "text/html"}
DAYS = 28


async def _fill(url: str) -> str:
    """For four weeks one person a day has chosen, and one found both equal; answers of another feature got votes."""
    ids = prompt_of(A).id, prompt_of(B).id
    clock, begun = Clock(), time.time_ns() // 1000 - DAYS * DAY
    experiment = replace(
        an_experiment(id=experiment_id(*ids, "llama32", 0.5, 200), created_at=begun, temperature=0.5, max_tokens=200),
        prompt_id=ids[0], prompt_text=A, prompt_b_id=ids[1], prompt_b_text=B,
    )  # fmt: skip
    store = open_store(url, clock=clock)
    await store.start()
    for day in range(DAYS):
        clock.now = begun + day * DAY + DAY // 2
        preferences: tuple[Preference, Preference] = ("a" if day % 3 else "b", "tie")
        for number, preference in enumerate(preferences):
            person = f"{number} on day {day}"
            asked = {"experiment": experiment, "user_id": person, "created_at": clock.now, "prompt_b_side": "a"}
            ballot = a_ballot(await a_comparison(store, **asked), preference)
            await store.comparisons.record_ballot(ballot)
        answer = a_generation(feature="translate", created_at=clock.now)
        await store.generations.record(answer)
        await store.feedback.record(a_vote(answer, user_id="ada"))
    await store.close()
    return experiment.id


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_it_is_said_by_what_was_counted_in_the_last_weeks(
    engine: str, model: FakeModelServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/canopy.db"
    if engine == "postgresql":
        url = request.getfixturevalue("postgres").create_database()
    migrate_database(url)
    running = await _fill(url)
    features = {
        "translate": {"title": "Into French", "prompt": "Translate:", "prompt_b": "In French:"},
        "quiet": {"title": "Nobody's", "prompt": "Be quiet:"},
    }
    values = ab_values(model, ab_testing={"percentage": 50}) | {"features": features}
    async with (
        running_server(tmp_path, values, env=ENVIRONMENT | {"CANOPY_STORE_URL": url}) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        for address in ("/experiments/plan", "/experiments/current/decision"):
            unnamed = await client.get(address)
            assert (unnamed.status_code, "summarize, translate. Name one" in unnamed.text) == (422, True)
        plan = (await client.get("/experiments/plan", params={"feature": "summarize"})).json()
        assert (plan["experiment"], plan["feature"], plan["stage"], plan["open"]) == (
            running, "summarize", "running", True,
        )  # fmt: skip
        assert (plan["n"], plan["n_max"]) == (DAYS, 2000)
        assert (plan["pace"]["basis"], plan["pace"]["votes"], plan["pace"]["idle"]) == ("ballots", DAYS, False)
        assert plan["pace"]["per_day"] == pytest.approx(1, rel=0.05)
        assert plan["pace"]["slowest"] < 1 < plan["pace"]["fastest"]
        assert [it["rate"] for it in plan["outlooks"]] == [None, 0.55, 0.6, 0.7]
        so_far = plan["outlooks"][0]
        assert so_far["days"]["median"] == pytest.approx(so_far["votes"]["median"] / plan["pace"]["per_day"])
        assert plan["sentence"].startswith("As people have chosen so far, a decision takes about")
        one = (await client.get(f"/experiments/{running}")).json()
        assert one["decision"]["more_votes"] == so_far["votes"]["median"]
        brief = (await client.get("/experiments/current/decision", params={"feature": "summarize"})).json()
        assert brief["more_votes"] == so_far["votes"]["median"]

        before = (await client.get("/experiments/plan", params={"feature": "translate"})).json()
        assert (before["experiment"], before["open"], before["n"]) == (None, False, 0)
        assert (before["pace"]["basis"], before["pace"]["votes"]) == ("votes", DAYS)
        assert before["pace"]["per_day"] == pytest.approx(0.5, rel=0.05)  # of half of the people
        assert "Nothing was compared lately." in before["more"][0]
        nobody = (await client.get("/experiments/plan", params={"feature": "quiet"})).json()
        assert (nobody["pace"], nobody["outlooks"][1]["days"]) == (None, None)
        assert nobody["sentence"].endswith("a decision takes about 180 votes (60 to 420).")
        assert (await client.get("/experiments/plan", params={"feature": "nothing"})).status_code == 422

        if engine == "sqlite":
            await _said_in_the_terminal(server.url, plan, before)
        assert plan["sentence"] in (await client.get("/feedback", headers=PAGE)).text
        page = (await client.get(f"/experiments/{running}", headers=PAGE)).text
        assert plan["more"][0] in page  # the pace
        for address in ("/experiments", "/feedback"):
            begins = (await client.get(address, params={"feature": "translate"}, headers=PAGE)).text
            assert before["sentence"] in begins
            assert before["more"][0] in begins


async def _said_in_the_terminal(url: str, plan: dict[str, Any], before: dict[str, Any]) -> None:
    status, said, errors = await canopy("ab", "plan", "--backend", url)
    assert (status, "`--feature summarize`" in errors) == (1, True)
    status, said, errors = await canopy("ab", "plan", "--backend", url, "--feature", "summarize")
    assert status == 0, errors
    said = " ".join(said.split())
    assert said.startswith(f"Experiment {plan['experiment']} of summarize As people have chosen so far")
    assert all(sentence in said for sentence in (plan["sentence"], *plan["more"]))
    options = ("--backend", url, "--feature", "translate", "--json")
    status, said, errors = await canopy("ab", "plan", *options)
    assert json.loads(said)["sentence"] == before["sentence"], errors
    status, said, errors = await canopy("ab", "plan", "--backend", url, "--feature", "nothing")
    assert (status, "must be the name of a feature" in errors) == (1, True)
