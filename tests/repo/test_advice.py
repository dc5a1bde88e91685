"""Every piece of advice is executed by a test. Whoever writes a new one says here by which, or why it can't be."""

import ast
import hashlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from canopy.auth.tokens import Tokens
from canopy.cli import main
from tests.support.advice import Advice, collected, spoken
from tests.support.docs import ROOT

README = "tests/repo/test_readme.py::test_the_commands_run"
FORK = "tests/chart/test_gitops.py::test_the_readme_leads_from_a_fork_to_the_first_flag"
SHOWN = "tests/chart/test_advice.py::test_values_that_are_shown_are_taken"
CLUSTER = "tests/chart/test_advice.py::test_kubectl_takes_the_command"
HELM = "tests/chart/test_advice.py::test_helm_takes_the_command"
FLAGS = "tests/http/test_lab_page.py::test_two_columns_stream_and_the_choice_reveals_the_prompts"
DECIDED = "tests/http/test_experiments.py::test_the_decision_has_the_fields_that_are_documented"
HERE = "tests/repo/test_advice.py::"
FILES, SIGNED = "tests/repo/test_project_files.py::", "tests/repo/test_sbom.py::"
EVALS = "tests/evals/test_"
WHOLE_WAY = f"{EVALS}whole_way.py::test_a_complaint_becomes_a_test_that_the_better_prompt_passes"
MERGE = "tests/cli/test_evals_merge.py::test_"
BACKUP = "tests/loop/test_backup.py::test_"
SCRAPING = "tests/chart/test_scraping.py::test_"
SCALED = f"{SCRAPING}the_documented_scaling_by_generations_asks_for_what_the_documented_adapter_serves"
PROMOTED = "tests/chart/test_promote.py::test_one_commit_brings_image_chart_and_values_to_prod_and_leaves_the_rest"
CIRCLE = "tests/loop/test_play.py::test_the_circle_plays_whatever_a_person_has_configured_and_readme_tells_it"
PROMOTION = "tests/loop/test_promotion.py::test_"
MOVED = "tests/contract/test_git_hosts.py::test_the_host_serves_the_repository_and_merges"
PODS = "tests/chart/test_runbook_pods.py::test_the_pods_of_the_runbooks_are_kubernetes_own_and_restricted"
COPIED = f"{BACKUP}the_charts_job_copies_the_store_of_a_server_at_work_and_puts_it_back"
# By its place and its text, the first that fits.
EXECUTED = {
    r"README.md: (curl|summary=|generation=|mkdir|cat|ls|.venv/bin/canopy)": README,
    r"README.md: git merge ": CIRCLE,
    r"\S+: (.venv/bin/)?canopy serve$": README,
    r"\S+: (.venv/bin/)?canopy ": f"{HERE}test_each_command_of_canopy_is_executed_and_shown_as_it_is",
    r"\S+: make ": f"{HERE}test_make_knows_the_goal",
    r"\S+: python -m bench ": f"{HERE}test_a_benchmark_takes_what_is_shown",
    r"\S+: openssl ": f"{HERE}test_openssl_does_what_it_is_advised_for",
    r"\S+: pg_": f"{BACKUP}postgresql_is_backed_up_and_restored_by_the_documented_commands",
    r"\S+: kubectl exec .*(sqlite3|cat )": f"{BACKUP}sqlite_is_backed_up_and_restored_by_the_documented_commands",
    r"\S+: kubectl apply -f - ": PODS,
    r"docs/operations.md: (COPY=|kubectl create job .* \| sed)": COPIED,
    r"\S+: kubectl ": CLUSTER,
    r"\S+: helm ": HELM,
    r"backend/canopy/gitops/\S+: git remote set-url": MOVED,
    r"gitops/README.md: (sed|git (add|commit)|export) ": FORK,
    r"gitops/README.md: (VERSION=|\$EDITOR |git tag |gitops/promote.sh )": PROMOTED,
    r"\S+: git fetch --unshallow": "tests/loop/test_verification.py::test_a_shallow_clone_is_no_tampering",
    r"\S+: git revert": f"{HERE}test_a_change_by_hand_is_taken_back_by_its_commit",
    r"CONTRIBUTING.md: .venv/bin/pre-commit install": f"{FILES}test_a_commit_is_stopped_by_its_subject",
    r"docs/releasing.md: VERSION=": f"{SIGNED}test_the_version_is_read_as_it_is_shown",
    r"docs/releasing.md: cosign ": f"{SIGNED}test_what_is_signed_and_checked_is_a_digest",
    r"canopy-evals/pipeline/README.md: (sed|export) ": f"{HERE}test_the_pipelines_become_ones_own",
    r"\S+: curl .*/feature-flags": FLAGS,
    r"\S+: curl .*/feedback/export \| canopy evals merge": WHOLE_WAY,
    r"gitops/README.md: yml ": "tests/chart/test_advice.py::test_ogx_is_told_whom_to_let_in",
    r"gitops/README.md: yaml ": "tests/chart/test_gitops.py::test_what_the_readme_shows_to_add_is_taken",
    r"docs/evaluations.md: yaml ": f"{EVALS}advice.py::test_what_the_page_shows_is_read",
    r"docs/operations.md: yaml - \{name: ana": f"{HERE}test_the_file_of_tokens_that_is_shown_is_read",
    r"docs/operations.md: yaml rules:": SCALED,
    r"\S+: yaml ": SHOWN,
    r"docs/operations.md: json ": DECIDED,
    r"\S+: logql ": "tests/loop/test_logs.py::test_the_queries_find_each_vote_once_and_nothing_else",
    r"\S+: python ": f"{EVALS}advice.py::test_a_run_of_the_pipeline_is_asked_for_as_it_is_shown",
}
# What no test can do here, and why.
NOT_HERE = {
    r"\S+: podman ": "there is no container engine; tests/image holds the Dockerfile to what can be seen without one",
    r"\S+: git push": "there is no other repository",
    r"\S+: tkn ": "there is no Tekton; tests/evals/test_pipeline_tekton.py runs the scripts of its tasks",
}
COMMANDS = {
    "ab start": f"{PROMOTION}the_next_round_begins_the_same_way_and_says_how_long_it_may_take",
    "ab plan": "tests/http/test_experiment_plans.py::test_it_is_said_by_what_was_counted_in_the_last_weeks",
    "promote": f"{PROMOTION}what_the_votes_decided_is_a_commit_that_anybody_can_check",
    "rollback": f"{PROMOTION}a_promotion_is_taken_back_and_what_changed_since_stays",
    "verify": f"{PROMOTION}a_promotion_is_taken_back_and_what_changed_since_stays",
    "ab export": "tests/cli/test_ballot_export.py::test_an_experiment_and_a_time_can_be_asked_for",
    "ab report": "tests/cli/test_experiments.py::test_the_report_says_the_decision_the_evidence_and_the_change",
    "ab simulate": "tests/cli/test_simulation.py::test_it_shows_a_run_its_end_and_the_mistakes_of_both_tests",
    "check-values": "tests/cli/test_cli.py::test_check_values_says_what_a_file_turns_on",
    "erase": "tests/cli/test_cli.py::test_erase_reaches_one_session_and_no_other",
    "evals gate": f"{EVALS}publish.py::test_the_gate_says_again_what_it_said",
    "evals list": f"{EVALS}publish.py::test_suites_are_listed_before_anyone_is_asked",
    "evals merge": f"{MERGE}the_summary_says_what_was_done_and_a_second_merge_touches_nothing",
    "evals publish": f"{EVALS}publish.py::test_a_run_is_one_run_in_mlflow_with_its_figures_and_its_reports",
    "evals report": f"{EVALS}report_command.py::test_the_reports_are_made_again_beside_the_results",
    "evals review": "tests/cli/test_evals_review.py::test_each_case_is_saved_when_it_is_written",
    "evals run": f"{EVALS}run.py::test_good_answers_open_the_gate",
    "evals speed": f"{EVALS}speed_command.py::test_a_backends_speed_is_measured_token_by_token",
    "export": "tests/cli/test_cli.py::test_export_writes_the_dataset_from_the_store",
    "judge run": "tests/cli/test_judges.py::test_it_labels_recent_responses_and_says_what_it_did",
    "migrate": "tests/contract/store/test_migrate.py::test_a_database_is_behind_up_to_date_ahead_or_too_new",
    "outbox list": "tests/cli/test_outbox.py::test_what_is_parked_is_listed_and_sent_again",
    "outbox retry": "tests/cli/test_outbox.py::test_what_is_parked_is_listed_and_sent_again",
    "prune": "tests/cli/test_cli.py::test_prune_deletes_what_is_older",
    "serve": README,
}


def line(advice: Advice) -> str:
    kind = "" if advice.language == "command" else f"{advice.language} "
    return f"{advice.where}: {kind}{advice.text}"


def rule(advice: Advice) -> str | None:
    return next((pattern for pattern in EXECUTED | NOT_HERE if re.match(pattern, line(advice))), None)


@cache
def defined_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_piece_of_advice_is_executed_by_a_test_or_says_why_not() -> None:
    everything = collected()
    assert len(everything) > 150
    assert [line(advice)[:200] for advice in everything if rule(advice) is None] == []
    used = {rule(advice) for advice in everything}
    assert [pattern for pattern in EXECUTED | NOT_HERE if pattern not in used] == [], "nothing is advised so any more"


def test_the_tests_that_are_named_are_there() -> None:
    for named in {*EXECUTED.values(), *COMMANDS.values()}:
        file, _, name = named.partition("::")
        assert name in defined_in(file), named


def leaves(group: click.Group, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        yield from leaves(command, f"{before}{name} ") if isinstance(command, click.Group) else [before + name]


def test_every_command_has_its_test() -> None:
    assert set(leaves(main)) == COMMANDS.keys()


@pytest.mark.parametrize("text", spoken("canopy"))
def test_each_command_of_canopy_is_executed_and_shown_as_it_is(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words are what the program takes: commands, options and their values. The test in `COMMANDS` executes it."""
    monkeypatch.chdir(tmp_path)
    for name in ("canopy-evals/Summary/feedback_tests.yaml", "main/results.json", "reports/results.json"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    for name in ("FILE", "EXPORT", "results.json", "my-values.yaml", "brief.txt", "ballots.jsonl", "complaints.yaml"):
        Path(name).touch()
    for name in ("my-evals", "FOLDER", "evals", "after"):
        Path(name).mkdir()
    Path("evals/brief_tests.yaml").touch()
    shutil.copytree(ROOT / "gitops", "gitops")
    text = text.replace("$BACKEND", "http://127.0.0.1:1").replace("$JUDGE", "http://127.0.0.1:2").replace("ID…", "ID")
    words = shlex.split(text.replace("COMMAND", "serve").replace("…", "FOLDER"))[1:]
    command: click.Command = main
    named = []
    context = click.Context(main, info_name="canopy")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        named.append(words.pop(0))
        found = command.get_command(context, named[-1])
        assert found, text
        command = found
    if isinstance(command, click.Group):
        return  # a family of commands
    assert " ".join(named) in COMMANDS
    if words not in ([], ["--output"]):  # alone it is a name, in a sentence
        try:
            with command.make_context(named[-1], [*words], parent=context):
                pass
        except click.MissingParameter:
            assert "FOLDER" in words, text  # shortened, to say which command is meant
        except click.exceptions.Exit as ended:
            assert ended.exit_code == 0, text


@pytest.mark.parametrize("text", spoken("make"))
def test_make_knows_the_goal(text: str) -> None:
    """What the goals do takes minutes; `make test`, which these tests are part of, has made them."""
    done = subprocess.run([*shlex.split(text), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_benchmark_takes_what_is_shown() -> None:
    for text in spoken("python"):
        _, _, _, name, *options = shlex.split(text)
        help_text = subprocess.run(
            [ROOT / ".venv/bin/python", "-m", "bench", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        assert [word for word in (name, *options) if not word.isdigit() and word not in help_text] == []


def test_openssl_does_what_it_is_advised_for(tmp_path: Path) -> None:
    assert {tuple(shlex.split(text)[1:2]) for text in spoken("openssl")} == {("rand",), ("rehash",)}
    made = subprocess.run(["openssl", "rand", "-hex", "32"], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"[0-9a-f]{64}\n", made)
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "1"]
    files = ["-keyout", "/dev/null", "-out", str(tmp_path / "ca.pem")]
    subprocess.run([*request, *files], capture_output=True, check=True)
    subprocess.run(["openssl", "rehash", tmp_path], capture_output=True, check=True)
    assert any(re.fullmatch(r"[0-9a-f]{8}\.0", path.name) for path in tmp_path.iterdir())


def test_the_pipelines_become_ones_own(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "canopy-evals", tmp_path / "canopy-evals")
    (tmp_path / "digest").write_text("sha256:" + "a" * 64)
    page = "canopy-evals/pipeline/README.md"
    told = [a.text for a in collected() if a.where == page and a.text.startswith(("export", "sed"))]
    script = "\n".join([*told, "! grep -rn your-account canopy-evals/pipeline --include=*.yaml --include=*.py"])
    env = {"PATH": os.environ["PATH"], "REPO_URL": "https://git.example.com/ada/canopy.git"}
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_file_of_tokens_that_is_shown_is_read(tmp_path: Path) -> None:
    (block,) = [advice.text for advice in collected() if advice.language == "yaml" and "role: reviewer" in advice.text]
    for token in ("one", "two", "three"):
        block = block.replace("…", hashlib.sha256(token.encode()).hexdigest(), 1)
    (tmp_path / "tokens.yaml").write_text(block)
    assert Tokens(tmp_path / "tokens.yaml").count == 3


def test_a_change_by_hand_is_taken_back_by_its_commit(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        as_somebody = ("-c", "user.name=Ana", "-c", "user.email=ana@example.com", "-c", "commit.gpgsign=false")
        command = ["git", *as_somebody, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    git("init")
    values = tmp_path / "config.yaml"
    for prompt in ("Summarize:", "Rhyme:"):
        values.write_text(f"summarize:\n  prompt: {prompt}\n")
        git("add", ".")
        git("commit", "-m", prompt)
    commit = git("rev-parse", "HEAD")[:10]  # as the card shows it
    git("revert", "--no-edit", commit)
    assert "Summarize:" in values.read_text()
