"""`canopy ab report`, as a person and as a script run it."""

import asyncio
import json
from pathlib import Path

import pytest

from canopy.store.experiments.experiment import Experiment, Preference
from canopy.store.opening import open_store
from tests.cli.test_cli import canopy
from tests.contract.store.records import HOUR, NOON, Clock, a_ballot, a_comparison, an_experiment

OLD = an_experiment(id="exp_old")
OF_ANOTHER = an_experiment(id="exp_other", created_at=NOON + 2 * HOUR, feature="de-en")
NEW = an_experiment(id="exp_new", created_at=NOON + HOUR, prompt_b_id="sha256:kind", prompt_b_text="Be brief & kind.")


async def _filled(url: str, preferences: list[Preference], *others: Experiment) -> None:
    store = open_store(url, clock=Clock())
    await store.start()
    first: list[Preference] = ["a"]
    for experiment, ballots in ((OLD, first), (NEW, preferences), *((it, first) for it in others)):
        for number, preference in enumerate(ballots):
            asked = {"experiment": experiment, "user_id": f"user {number}", "created_at": experiment.created_at}
            await store.comparisons.record_ballot(a_ballot(await a_comparison(store, **asked), preference))
    await store.close()


async def _made(url: str) -> None:
    store = open_store(url)
    await store.start()
    await store.close()


@pytest.fixture(scope="module")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An earlier experiment of one ballot, and one that Prompt B, on the right, has won."""
    url = f"sqlite:///{tmp_path_factory.mktemp('report') / 'canopy.db'}"
    wins: list[Preference] = ["b"] * 41
    asyncio.run(_filled(url, [*wins, "a", "a", "a", "a", "a", "tie", "tie", "tie", "both_bad"]))
    return url


def test_the_report_says_the_decision_the_evidence_and_the_change(store_url: str, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(  # as today's workshop spells it
        "LLAMA_STACK_URL: http://127.0.0.1:9\nsummarization: {prompt: Summarize the text., prompt_b: Be brief & kind., "
        "model: llama32, temperature: 0.9, max_tokens: 4096}"
    )
    result = canopy("ab", "report", CANOPY_STORE_URL=store_url, CANOPY_CONFIG_PATH=str(values))
    assert result.returncode == 0, result.stderr
    for part in (
        "Experiment exp_new",
        "50 voters behind 50 ballots",
        "The candidate, Prompt B, is better",
        "    summarization:\n",
        'prompt: "Be brief & kind."',
        "E⁺",
        "The left column was chosen in 11 %",
        "Other experiments (--experiment): exp_old",
    ):
        assert part in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 90
    assert "\x1b" not in result.stdout


def test_for_programs_it_is_json_with_every_vote_that_counts(store_url: str) -> None:
    result = canopy("ab", "report", "--json", CANOPY_STORE_URL=store_url)
    found = json.loads(result.stdout)
    assert found["decision"]["status"] == "promote_b"
    statistics = found["statistics"]
    assert (statistics["voters"], statistics["n"], statistics["wins_b"], statistics["ties"]) == (50, 46, 41, 3)
    assert statistics["e_b"] > 40 > statistics["e_a"]
    assert len({vote["comparison_id"] for vote in found["votes"]}) == 50
    assert sum(vote["winning_prompt"] == "prompt_b" for vote in found["votes"]) == 41


def test_another_experiment_can_be_asked_for(store_url: str) -> None:
    result = canopy("ab", "report", "--experiment", "exp_old", "--json", CANOPY_STORE_URL=store_url)
    found = json.loads(result.stdout)
    assert (found["experiment"]["id"], found["decision"]["status"]) == ("exp_old", "collecting")
    unknown = canopy("ab", "report", "--experiment", "exp_none", CANOPY_STORE_URL=store_url)
    assert (unknown.returncode, unknown.stderr) == (1, "Error: There is no experiment with this id.\n")


def test_each_experiment_is_named_by_its_feature(tmp_path: Path) -> None:
    url, values = f"sqlite:///{tmp_path / 'canopy.db'}", tmp_path / "values.yaml"
    asyncio.run(_filled(url, ["a"], OF_ANOTHER))
    values.write_text("features: {de-en: {title: German into English, prompt: 'T:'}}")
    named = canopy("ab", "report", CANOPY_STORE_URL=url, CANOPY_CONFIG_PATH=str(values)).stdout
    assert "\n  German into English\n" in named
    assert "exp_new (Summarization), exp_old (Summarization)" in " ".join(named.split())
    values.write_text("")  # the feature is removed, its experiment stays
    removed = canopy("ab", "report", "--experiment", "exp_new", CANOPY_STORE_URL=url, CANOPY_CONFIG_PATH=str(values))
    assert "\n  Summarization\n" in removed.stdout
    assert "exp_other (De en), exp_old (Summarization)" in " ".join(removed.stdout.split())


def test_the_built_in_feature_is_known_by_its_other_name(store_url: str, tmp_path: Path) -> None:
    result = canopy("ab", "report", "--feature", "summarization", CANOPY_STORE_URL=store_url)
    assert "Experiment exp_new" in result.stdout, result.stderr
    empty = f"sqlite:///{tmp_path / 'canopy.db'}"
    asyncio.run(_made(empty))
    assert "`summarize.prompt_b`" in canopy("ab", "report", "--feature", "summarization", CANOPY_STORE_URL=empty).stdout


def test_ties_alone_decide_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'canopy.db'}"
    asyncio.run(_filled(url, ["tie"]))
    assert "No decisive vote yet." in canopy("ab", "report", CANOPY_STORE_URL=url).stdout


def test_without_a_comparison_it_says_how_to_begin(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'canopy.db'}"

    asyncio.run(_made(url))
    assert "`summarize.prompt_b`" in canopy("ab", "report", CANOPY_STORE_URL=url).stdout
    values = tmp_path / "values.yaml"
    values.write_text("features: {notes: {prompt: 'Note:'}}")
    of_notes = canopy("ab", "report", "--feature", "notes", CANOPY_STORE_URL=url, CANOPY_CONFIG_PATH=str(values))
    assert "`features.notes.prompt_b`" in of_notes.stdout
    unknown = canopy("ab", "report", "--feature", "nonsense", CANOPY_STORE_URL=url)
    assert (unknown.returncode, "`feature` must be the name of a feature" in unknown.stderr) == (1, True)
    assert json.loads(canopy("ab", "report", "--json", CANOPY_STORE_URL=url).stdout)["decision"] is None
