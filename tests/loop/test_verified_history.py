"""What `canopy verify` and `canopy rollback` make of what became of a promotion in Git: renames, merges, rebases."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from canopy.base.errors import ConfigError
from canopy.gitops.history import last_promotion
from canopy.gitops.repository import Repository
from canopy.gitops.server import Server
from canopy.gitops.trail import commits_of_range, commits_with_evidence
from canopy.gitops.verification import Verified, verify
from tests.loop.test_promotion import FILE, VALUES, A, git, repository
from tests.loop.test_verification import amend, promote, promoted, rolled_back, verified

__all__ = ["promoted", "repository"]  # fixtures

MOVED = "gitops/canopy/staging/server/config.yaml"
RENAMED = "gitops/canopy/staging/server/values.yaml"


def move(clone: Path, *what: str) -> str:
    (clone / "gitops/canopy/staging").mkdir(exist_ok=True)
    git(clone, "mv", *what)
    return commit(clone, "Move")


def commit(clone: Path, message: str) -> str:
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", message)
    return git(clone, "rev-parse", "HEAD")


def edit(clone: Path, what: str, to: str, file: str = FILE) -> None:
    text = (clone / file).read_text()
    assert what in text
    (clone / file).write_text(text.replace(what, to))


def checked(clone: Path, revision: str = "HEAD") -> tuple[Verified, str, list[str]]:
    """What was found, all of it in words, and what is wrong."""
    found = verify(Repository(clone), revision)
    sentences = [it.sentence for it in found.findings]
    return found, "\n".join(sentences), [it.sentence for it in found.findings if not it.right]


async def test_a_promotion_is_found_and_taken_back_where_its_folder_and_file_have_got_other_names(
    repository: Path,
) -> None:
    for rule in ("50, max_decisive_votes: 3000}", "50}"):  # the experiment's, and a newer one
        (repository / FILE).write_text(VALUES.replace("50}", rule))
        begin = commit(repository, "Another rule")
    move(repository, "gitops/canopy/test/backend", "gitops/canopy/staging/server")
    made = promote(repository, MOVED, n_max=3000)
    assert checked(repository)[2] == []
    move(repository, MOVED, RENAMED)
    move(repository, "gitops/canopy/staging", "gitops/canopy/prod")
    now = RENAMED.replace("staging", "prod")
    here = Repository(repository)
    assert list(commits_with_evidence(here, now)) == list(commits_of_range(here, f"{begin}..HEAD")) == [made]
    status, said = await rolled_back(repository, now)
    assert status == 0, said
    assert f'prompt: "{A}"' in (repository / now).read_text()
    status, said = await verified(repository, "--all", now)
    assert (status, "2 commits, none wrong." in said) == (0, True), said
    # What the message says to type has the former name, whose folder is gone.
    assert (await verified(repository, "--all", MOVED))[1] == said
    status, said = await rolled_back(repository, MOVED)
    assert (status, f"There is no file {MOVED}. It is called {now} by now: name that." in said) == (1, True), said
    assert last_promotion(here, now) is None
    # Evidence that is changed while it moves is no move.
    (file,) = (repository / now).parent.glob("evidence/*-promote-*.json")
    other = file.with_name("other.json")
    git(repository, "mv", str(file), str(other))
    edit(repository, '"wins_b": 40', '"wins_b": 41', str(other.relative_to(repository)))
    tampered = commit(repository, "Move")
    assert next(commits_with_evidence(here, now)) == tampered
    assert checked(repository)[2]


def test_a_promotion_that_is_rebased_on_another_name_of_its_folder_is_right(repository: Path) -> None:
    promoted, folder = repository, (repository / FILE).parent / "evidence"
    folder.mkdir()
    (folder / "README").write_text("Git moves what comes into a folder along with what it has.\n")
    commit(promoted, "Explain")
    promote(promoted)
    git(promoted, "switch", "--quiet", "--create", "brief")
    git(promoted, "switch", "--quiet", "--force-create", "main", "HEAD^")
    move(promoted, "gitops/canopy/test", "gitops/canopy/prod")
    git(promoted, "switch", "--quiet", "brief")
    git(promoted, "-c", "merge.directoryRenames=true", "rebase", "--quiet", "main")
    _, said, wrong = checked(promoted)
    assert wrong == []
    assert f"gitops/canopy/prod/backend/config.yaml was called {FILE} when the evidence was made." in said
    # Another file of the same content was never called so.
    copy = Path("gitops/canopy/other/backend")
    (promoted / copy / "evidence").mkdir(parents=True)
    (promoted / copy / "config.yaml").write_text(VALUES)
    commit(promoted, "Another environment")
    for it in git(promoted, "show", "--format=", "--name-only", "brief~1").splitlines():
        shown = git(promoted, "show", f"brief~1:{it}") + "\n"
        (promoted / it.replace("prod", "other")).write_text(shown)
    commit(promoted, "Promote there, too")
    gone = f"There is no {FILE} before the commit: if its folder has got another name since, promote again."
    assert gone in checked(promoted)[2]


def test_a_merge_is_held_by_what_it_brings_and_by_what_it_changes_itself(promoted: Path) -> None:
    own = git(promoted, "rev-parse", "HEAD")
    git(promoted, "switch", "--quiet", "--create", "brief")
    (promoted / "notes.txt").write_text("Read this.\n")
    edit(promoted, "# The test environment.", "# The environment for tests.")
    commit(promoted, "Say more")
    git(promoted, "switch", "--quiet", "--force-create", "main", f"{own}^")
    edit(promoted, "feedback:\n  enabled: true", "feedback:\n  enabled: false")
    commit(promoted, "Feedback off")
    here, merge = Repository(promoted), ("merge", "--quiet", "--no-ff", "brief")
    git(promoted, *merge, "--message", "Merge pull request #7\n\nPromote Prompt B of Brief summaries")
    found, said, wrong = checked(promoted)
    assert (wrong, found.statement is not None) == ([], True)
    for sentence in (
        f"It brings the evidence of {own[:10]}:",
        f"Other commits have changed {FILE}, too.",
        "The merge also brings notes.txt, which nobody looked at.",
    ):
        assert sentence in said
    assert list(commits_of_range(here, f"{own}^..HEAD")) == [own]
    (evidence,) = (promoted / FILE).parent.glob("evidence/*.json")
    name, made = str(evidence.relative_to(promoted)), evidence.read_text()

    def drop_the_change() -> None:
        git(promoted, "checkout", "--quiet", "HEAD^1", "--", FILE)

    evil: list[tuple[Callable[[], object], str]] = [
        (lambda: edit(promoted, "0.2", "0.9"), f"The merge itself changes {FILE}:"),
        (drop_the_change, f"The merge itself changes {FILE}:"),
        (lambda: evidence.write_text(made.replace("Brief", "Long")), f"No commit that it merges made {name}:"),
        (lambda: evidence.rename(evidence.with_name("other.json")), "The merge itself changes"),
    ]
    for change, sentence in evil:
        change()
        git(promoted, "add", "--all", ".")
        git(promoted, "commit", "--quiet", "--amend", "--message", "Merge")
        wrong = checked(promoted)[2]
        assert any(it.startswith(sentence) for it in wrong), wrong
        evils = [git(promoted, "rev-parse", "HEAD"), own]
        assert list(commits_of_range(here, f"{own}^..HEAD")) == list(commits_with_evidence(here, FILE)) == evils
        git(promoted, "reset", "--quiet", "--hard", "HEAD^1")
        git(promoted, *merge, "--message", "Merge")
    git(promoted, "commit", "--quiet", "--amend", "--message", "Merge\n\nA 5, B 400, ties 3, both bad 1")
    assert [it[:35] for it in checked(promoted)[2]] == ["The message says “A 5, B 400, ties "]
    assert checked(promoted, f"{own}^")[2] == ["The commit brings no evidence; it should bring one."]


async def test_only_evidence_on_the_file_that_is_named_counts(promoted: Path) -> None:
    missing = str(Path(FILE).with_name("nothing.yaml"))
    status, said = await verified(promoted, "--all", missing)
    assert (status, f"There is no file {missing} in the branch that is checked out, and never was" in said) == (1, True)
    assert (await verified(promoted, "--all", str(Path(FILE).parent)))[0] == 1
    other = str(Path(FILE).with_name("other.yaml"))
    (promoted / other).write_text(VALUES)
    own = commit(promoted, "Another file")
    status, said = await verified(promoted, "--all", other)
    assert (status, f"No commit of {other} has evidence." in said) == (1, True), said
    promote(promoted, other)
    here = Repository(promoted)
    assert list(commits_with_evidence(here, other)) == [git(promoted, "rev-parse", "HEAD")]
    assert list(commits_with_evidence(here, FILE)) == [git(promoted, "rev-parse", f"{own}^")]
    git(promoted, "rm", "--quiet", other)
    commit(promoted, "Another file no more")
    assert (await verified(promoted, "--all", other))[0] == 0


async def test_a_merge_that_throws_the_evidence_away_is_named(promoted: Path) -> None:
    own, evidence = git(promoted, "rev-parse", "HEAD"), str((promoted / FILE).parent / "evidence")
    git(promoted, "switch", "--quiet", "--create", "pr", f"{own}^")
    git(promoted, "commit", "--quiet", "--allow-empty", "--message", "On")
    start = git(promoted, "rev-parse", "HEAD")
    for options, wrong in (([], 1), (["--strategy=ours"], 0)):  # the change comes alone, or nothing at all
        git(promoted, "merge", "--quiet", "--no-ff", "--no-commit", *options, "main")
        git(promoted, "rm", "--quiet", "-r", "--force", "--ignore-unmatch", evidence)
        git(promoted, "commit", "--quiet", "--allow-empty", "--message", "Merge")
        status, said = await verified(promoted, f"{own}^..pr")
        assert (status, said.count("WRONG")) == (wrong, wrong), said
        assert (f"and {FILE} is not what it was before it." in said) == bool(wrong)
        assert (git(promoted, "rev-parse", "HEAD") in commits_with_evidence(Repository(promoted), FILE)) == bool(wrong)
        git(promoted, "reset", "--quiet", "--hard", start)
    # What is reverted later, before or after a merge, was there.
    git(promoted, "merge", "--quiet", "--no-ff", "--message", "Merge", "main")
    git(promoted, "revert", "--no-edit", own)
    git(promoted, "switch", "--quiet", "main")
    git(promoted, "commit", "--quiet", "--allow-empty", "--message", "On")
    git(promoted, "merge", "--quiet", "--no-ff", "--message", "Merge", "pr")
    status, said = await verified(promoted, f"{own}^..main")
    assert (status, "2 commits, none wrong." in said) == (0, True), said
    # Of what the first side has, too.
    git(promoted, "switch", "--quiet", "--force-create", "main", own)
    git(promoted, "merge", "--quiet", "--no-ff", "--no-commit", start)
    git(promoted, "rm", "--quiet", "-r", evidence)
    git(promoted, "commit", "--quiet", "--message", "Merge")
    assert (await verified(promoted, f"{own}..main"))[0] == 1


async def test_a_conflict_is_resolved_by_what_was_promoted_or_it_is_a_change_of_the_merge(promoted: Path) -> None:
    git(promoted, "switch", "--quiet", "--create", "brief")
    git(promoted, "switch", "--quiet", "--force-create", "main", "HEAD^")
    edit(promoted, "in detail", "at length")
    commit(promoted, "Another prompt")
    for side, wrong in (("--theirs", []), ("--ours", [f"The merge itself changes {FILE}:"])):
        with pytest.raises(subprocess.CalledProcessError):
            git(promoted, "merge", "--quiet", "--no-ff", "brief")
        git(promoted, "checkout", "--quiet", side, "--", FILE)
        commit(promoted, "Merge")
        assert [it.partition(" Git")[0] for it in checked(promoted)[2]] == wrong
        git(promoted, "reset", "--quiet", "--hard", "HEAD^1")
    # Of several changes each is looked at.
    git(promoted, "switch", "--quiet", "brief")
    assert (await rolled_back(promoted))[0] == 0
    git(promoted, "switch", "--quiet", "main")
    git(promoted, "merge", "--quiet", "--no-ff", "--message", "Merge\n\nPromote Prompt B of Brief summaries", "brief")
    found, said, none = checked(promoted)
    assert (none, found.statement, said.count("It brings the evidence of")) == ([], None, 2)
    with pytest.raises(ConfigError, match="tell of what it brings: canopy verify") as refused:
        Server("http://127.0.0.1:9", None).tell(found)
    advised = str(refused.value).partition("canopy verify ")[2].split()
    brought = git(promoted, "rev-list", "HEAD^..brief").split()
    assert list(commits_of_range(Repository(promoted), advised[0])) == brought
    assert advised[1:] == ["--backend", "http://127.0.0.1:9"]


async def test_a_rollback_finds_what_it_takes_back_by_its_evidence_where_a_rebase_gave_it_another_id(
    promoted: Path, tmp_path: Path
) -> None:
    former = git(promoted, "rev-parse", "HEAD")
    assert (await rolled_back(promoted))[0] == 0
    git(promoted, "switch", "--quiet", "--create", "brief")
    git(promoted, "switch", "--quiet", "--force-create", "main", "HEAD~2")
    (promoted / "notes.txt").write_text("Read this.\n")
    commit(promoted, "On")
    git(promoted, "rebase", "--quiet", "main", "brief")
    git(tmp_path, "clone", "--quiet", "--single-branch", "--branch=brief", f"file://{promoted}", "elsewhere")
    for clone in (promoted, tmp_path / "elsewhere"):  # the former commit is in one of both alone
        rebased = git(clone, "rev-parse", "HEAD^")
        _, said, wrong = checked(clone)
        assert wrong == []
        assert f"It takes back {rebased[:10]}, which was {former[:10]} before a rebase." in said
        assert last_promotion(Repository(clone), FILE) is None
    amend(promoted, lambda it: it.update(reverts_sha256="0" * 64), which="rollback")
    assert (
        f"{former[:10]}, which it takes back, isn't in the history, nor is that evidence elsewhere."
        in (checked(promoted)[2])
    )


async def test_what_git_reverts_is_taken_back_by_hand(promoted: Path) -> None:
    own, here = git(promoted, "rev-parse", "HEAD"), Repository(promoted)
    git(promoted, "revert", "--no-edit", own)
    assert (promoted / FILE).read_text() == VALUES
    _, said, wrong = checked(promoted)
    assert (wrong, "as git revert leaves both" in said) == ([], True)
    assert last_promotion(here, FILE) is None
    git(promoted, "revert", "--no-edit", "HEAD")
    again = git(promoted, "rev-parse", "HEAD")
    assert (checked(promoted)[2], (last_promotion(here, FILE) or ("",))[0]) == ([], again)
    # So is a rollback, after which the promotion stands.
    assert (await rolled_back(promoted))[0] == 0
    git(promoted, "revert", "--no-edit", "HEAD")
    assert (checked(promoted)[2], (last_promotion(here, FILE) or ("",))[0]) == ([], again)
    status, said = await verified(promoted, "--all", FILE, "--backend", "http://127.0.0.1:9")
    assert (status, said.count("WRONG"), "can't be asked" in said) == (1, 0, True), said
    # Evidence that goes alone is missing.
    git(promoted, "rm", "--quiet", "-r", str((promoted / FILE).parent / "evidence"))
    commit(promoted, "Tidy up")
    (sentence,) = checked(promoted)[2]
    assert f"{FILE} is not again what it was before it." in sentence
    # A merge may bring either.
    git(promoted, "switch", "--quiet", "--create", "back", own)
    git(promoted, "revert", "--no-edit", own)
    git(promoted, "switch", "--quiet", "--force-create", "main", own)
    git(promoted, "merge", "--quiet", "--no-ff", "--message", "Merge", "back")
    assert (checked(promoted)[2], "as git revert leaves both" in checked(promoted)[1]) == ([], True)
    git(promoted, "switch", "--quiet", "--detach", own)
    git(promoted, "merge", "--quiet", "--no-commit", "--no-ff", "--strategy=ours", "back")
    git(promoted, "rm", "--quiet", "-r", str((promoted / FILE).parent / "evidence"))
    git(promoted, "commit", "--quiet", "--message", "Merge")
    assert checked(promoted)[2][0].startswith("The merge itself")


async def test_it_says_what_it_could_not_check(promoted: Path) -> None:
    status, said = await verified(promoted)
    assert (status, "\n  not checked here: that the counts are those that people made (--" in said) == (0, True), said
    amend(promoted, lambda it: it.update(made_at="2099-01-01T00:00:00Z", evaluation=None), which="promote")
    status, said = await verified(promoted, "--json", "HEAD")
    found = json.loads(said)
    assert (status, "the link in the message" in found["not_checked"]) == (1, True)
    assert [it["sentence"].partition(", and")[0] for it in found["findings"] if not it["right"]] == [
        "The evidence was made at 2099-01-01T00:00:00Z"
    ]
