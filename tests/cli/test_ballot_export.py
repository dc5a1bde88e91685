"""`canopy ab export`, as an auditor gets it: what `canopy ab report` counts can be counted again from it."""

import asyncio
import json
from pathlib import Path

import pytest

from canopy.gitops.ballots import read_ballots
from canopy.store.experiments.experiment import Preference
from canopy.store.opening import open_store
from tests.cli.test_cli import canopy
from tests.contract.store.records import HOUR, NOON, Clock, a_ballot, a_comparison, an_experiment

SALT = "the salt of this test"
SECRETS = ("Ben Bitdiddle", "session-7", "A very good answer", "A long text.", "Response a.", "user:", "cmp_", SALT)


async def _filled(url: str) -> None:
    store = open_store(url, clock=Clock())
    await store.start()
    first: list[Preference] = ["b"] * 41
    preferences: list[Preference] = [*first, "a", "a", "a", "a", "a", "tie", "tie", "tie", "both_bad"]
    for number, preference in enumerate([*preferences, *preferences[:7]]):  # some people vote twice
        whose = {"user_id": f"Ben Bitdiddle {number % 50}", "session_id": f"session-7-{number % 50}"}
        on = await a_comparison(store, **whose, prompt_b_side="b" if number % 2 else "a")
        await store.comparisons.record_ballot(a_ballot(on, preference, comment="A very good answer"))
    old = an_experiment(id="exp_old", created_at=NOON - HOUR)
    await store.comparisons.record_ballot(a_ballot(await a_comparison(store, experiment=old, created_at=NOON - HOUR)))
    await store.close()


@pytest.fixture(scope="module")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('ballots') / 'canopy.db'}"
    asyncio.run(_filled(url))
    return url


def test_the_counts_of_the_report_follow_from_the_file(store_url: str, tmp_path: Path) -> None:
    path = tmp_path / "ballots.jsonl"
    done = canopy("ab", "export", "-o", str(path), "--salt", SALT, CANOPY_STORE_URL=store_url)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr == f"Wrote {path} (57 ballots).\n"
    assert not any(secret in path.read_text() for secret in SECRETS)

    found = read_ballots(path)
    report = json.loads(canopy("ab", "report", "--json", CANOPY_STORE_URL=store_url).stdout)
    told = report["statistics"]
    names = ("voters", "wins_a", "wins_b", "ties", "both_bad", "prompt_b_left")
    assert {name: getattr(found.counts, name) for name in names} == {name: told[name] for name in names}
    assert found.counts.ballots == 57
    assert found.counts.left / found.counts.voters == pytest.approx(told["left_share"] * told["n"] / told["voters"])
    assert found.header.rule.model_dump() == report["experiment"]["rule"]

    again = canopy("ab", "export", "--salt", SALT, CANOPY_STORE_URL=store_url).stdout.splitlines()
    assert again[1:] == path.read_text().splitlines()[1:]
    fresh = canopy("ab", "export", CANOPY_STORE_URL=store_url).stdout.splitlines()
    assert json.loads(fresh[0])["ids"]["salt_check"] != json.loads(again[0])["ids"]["salt_check"]
    assert not {json.loads(line)["voter"] for line in fresh[1:-1]} & {json.loads(line)["voter"] for line in again[1:-1]}


def test_an_experiment_and_a_time_can_be_asked_for(store_url: str) -> None:
    old = canopy("ab", "export", "--experiment", "exp_old", CANOPY_STORE_URL=store_url).stdout.splitlines()
    assert (json.loads(old[0])["experiment_id"], json.loads(old[-1])) == ("exp_old", {"ballots": 1})
    early = canopy("ab", "export", "--until", "2026-01-31", CANOPY_STORE_URL=store_url).stdout.splitlines()
    assert json.loads(early[0])["until"] == "2026-01-31T23:59:59.999999Z"
    assert json.loads(early[-1]) == {"ballots": 0}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--experiment", "exp_0"], "There is no experiment with this id."),
        (["--salt", "too short"], "A salt has 16 characters or more"),
        (["--until", "soon"], "`until` must be a day or a time"),
        (["-o", "/nowhere/ballots.jsonl"], "/nowhere/ballots.jsonl: No such file"),
    ],
)
def test_what_can_not_be_exported_is_told(store_url: str, arguments: list[str], sentence: str) -> None:
    done = canopy("ab", "export", *arguments, CANOPY_STORE_URL=store_url)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert done.stdout == ""


def test_nothing_is_there_before_anybody_compared(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/canopy.db"
    asyncio.run(_empty(url))
    assert "Nobody has compared two variants yet" in canopy("ab", "export", CANOPY_STORE_URL=url).stderr


async def _empty(url: str) -> None:
    store = open_store(url)
    await store.start()
    await store.close()
