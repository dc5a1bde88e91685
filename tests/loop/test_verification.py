"""What `canopy verify` makes of a commit, and of what became of it in Git: no server is needed for that."""

import json
import re
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from canopy.experiments.decision import decide
from canopy.gitops.evidence import Promotion
from canopy.gitops.promotion import read_values, with_winner
from canopy.gitops.records import Grounds, record
from canopy.gitops.repository import Repository
from canopy.stats.sequential import DecisionRule
from tests.loop.test_promotion import FILE, VALUES, A, B, git, repository
from tests.support.commands import canopy
from tests.support.evidence import a_statement

__all__ = ["repository"]  # a fixture

type Statement = dict[str, Any]


@pytest.fixture
def promoted(repository: Path) -> Path:
    """A clone in which 40 people's votes for B against 5 for A were brought into the file."""
    promote(repository)
    return repository


def promote(clone: Path, file: str = FILE, **rule: float) -> str:
    """Commit what `canopy promote` would, on the branch that is checked out."""
    facts = a_statement(A, B, "promote")["predicate"]
    facts["experiment"]["rule"] |= rule
    it = Promotion.model_validate(facts)
    here, before = Repository(clone), (clone / file).read_bytes()
    after = with_winner(read_values(before, file, "summarize"), "b")
    made = record(here, file, before, after, Grounds(it.experiment, it.counts, it.statistics, None, None), "promote")
    return here.commit_here(made.files, made.message)


async def verified(clone: Path, *what: str) -> tuple[int, str]:
    status, said, errors = await canopy("verify", *(what or ("HEAD",)), cwd=clone)
    return status, said + errors


async def rolled_back(clone: Path, file: str = FILE) -> tuple[int, str]:
    status, said, errors = await canopy("rollback", "--values", file, "--why", "Too brief", "--commit", cwd=clone)
    return status, said + errors


def amend(clone: Path, change: Callable[[Statement], object], *more: str, which: str = "-") -> None:
    """Write the evidence anew, of one action where there are several, and amend the commit."""
    (file,) = (clone / FILE).parent.glob(f"evidence/*{which}*.json")
    statement = json.loads(file.read_text())
    change(statement["predicate"])
    file.write_text(json.dumps(statement))
    git(clone, "commit", "--quiet", "--all", "--amend", *(more or ("--no-edit",)))


def _by_another_rule(predicate: Statement, **rule: float) -> None:
    """Make all that follows from the rule follow from this one."""
    it, counts = predicate["experiment"], predicate["counts"]
    it["rule"] |= rule
    taken = DecisionRule(*(it["rule"][key] for key in ("alpha", "prior", "delta", "n_max")))
    found = decide(counts["wins_a"], counts["wins_b"], taken)
    predicate["statistics"] |= {"interval": found.interval, **found.evidence._asdict(), "status": found.status}


@pytest.mark.parametrize(
    ("rule", "differs"),
    [
        ({"alpha": 0.9}, "alpha 0.9, the file 0.05"),
        ({"n_max": 5}, "n_max 5, the file 2000"),
        ({"prior": 1, "delta": 0.01}, "prior 1, the file 10, delta 0.01, the file 0.05"),
    ],
)
async def test_a_rule_that_the_file_never_had_is_found(promoted: Path, rule: dict[str, Any], differs: str) -> None:
    assert (await verified(promoted))[0] == 0
    amend(promoted, partial(_by_another_rule, **rule))
    status, said = await verified(promoted)
    assert (status, f"the evidence says {differs}" in said) == (1, True), said


async def test_a_rule_that_was_changed_since_the_experiment_is_its_own_still(repository: Path) -> None:
    file = repository / FILE
    for change in ("50, max_decisive_votes: 3000}", "50}"):
        file.write_text(VALUES.replace("50}", change))
        git(repository, "commit", "--quiet", "--all", "--message", "Another rule")
    promote(repository, n_max=3000)
    status, said = await verified(repository)
    assert (status, "it was changed since the experiment" in said) == (0, True), said


async def test_what_was_rebased_or_squashed_is_right_and_can_be_taken_back(promoted: Path) -> None:
    git(promoted, "switch", "--quiet", "--create", "brief")
    git(promoted, "switch", "--quiet", "--force-create", "main", "HEAD^")
    git(promoted, "commit", "--quiet", "--allow-empty", "--message", "On")
    git(promoted, "merge", "--quiet", "--squash", "brief")
    git(promoted, "commit", "--quiet", "--message", "Brief summaries (#7)")
    status, said = await verified(promoted)
    assert (status, "it was rebased, squashed or picked" in said) == (0, True), said
    git(promoted, "switch", "--quiet", "brief")
    git(promoted, "rebase", "--quiet", "main^")
    assert (await verified(promoted))[0] == 0
    status, said = await rolled_back(promoted)
    assert status == 0, said
    assert (await verified(promoted, "main..HEAD"))[0] == 0


async def test_a_message_that_says_another_result_is_found_and_keeps_nobody_from_going_back(promoted: Path) -> None:
    message = git(promoted, "log", "-1", "--format=%B")
    amend(promoted, lambda _: None, "--message", message.replace("B 40", "B 400"), "--message", "Signed-off-by: Ada")
    status, said = await verified(promoted)
    assert (status, "✗ The message says “A 5, B 400, ties 3" in said, said.count("✗")) == (1, True, 1), said
    way_back = message.splitlines()[-1].removeprefix("Take back: ")
    assert way_back == f"canopy rollback --values {FILE}"
    status, said, errors = await canopy(*shlex.split(way_back)[1:], "--commit", cwd=promoted)
    assert status == 0, said + errors
    assert (await verified(promoted))[0] == 0


async def test_what_git_cannot_check_or_says_beside_the_content_is_told(promoted: Path, tmp_path: Path) -> None:
    made = git(promoted, "cat-file", "commit", "HEAD")
    head, _, message = made.partition("\n\n")
    ssh = "-----BEGIN SSH SIGNATURE-----\n nonsense\n -----END SSH SIGNATURE-----"
    for signature in ("nonsense", ssh):  # no allowed signers are known here
        (tmp_path / "signed").write_text(f"{head}\ngpgsig {signature}\n\n{message}\n")
        revision = git(promoted, "hash-object", "-t", "commit", "-w", str(tmp_path / "signed"))
        status, said = await verified(promoted, revision)
        assert (status, "✓ The commit is signed; Git can't check it here." in said) == (0, True), said
    amend(promoted, lambda it: it["before"].update(git_revision="d" * 40))
    status, said = await verified(promoted)
    unknown = "that it was made on dddddddddd, a commit that isn't known here"
    assert (status, unknown in said, "rebased" in said) == (0, True, False), said

    def in_its_last_digit(it: Statement) -> None:
        it["before"]["sha256"] = it["before"]["sha256"][:-1] + ("0" if it["before"]["sha256"][-1] != "0" else "1")

    amend(promoted, in_its_last_digit)
    git(promoted, "update-index", "--chmod=+x", FILE)
    git(promoted, "commit", "--quiet", "--amend", "--no-edit")
    status, said = await verified(promoted)
    (found,) = re.findall(r"✗ .* before: SHA-256 (\w{64}), the evidence says (\w{64})\n", said)
    assert (status, found[0] != found[1]) == (1, True)
    assert f"✗ The commit changes the mode of {FILE} as well." in said


async def test_a_shallow_clone_is_no_tampering(promoted: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{promoted}", "shallow")
    for status, said in (
        await verified(tmp_path / "shallow"),
        await verified(tmp_path / "shallow", "--all", FILE),
        await verified(tmp_path / "shallow", "HEAD~1..HEAD"),
        await rolled_back(tmp_path / "shallow"),
    ):
        assert (status, "git fetch --unshallow" in said, "WRONG" in said) == (1, True, False), said
    git(tmp_path / "shallow", "fetch", "--unshallow")
    status, said = await verified(tmp_path / "shallow")
    assert (status, "right" in said) == (0, True), said
