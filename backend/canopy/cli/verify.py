"""`canopy verify`: the evidence of a commit is checked, and every number in it computed again."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from canopy.base.errors import ConfigError
from canopy.cli.common import pluralize, read_settings, report_errors
from canopy.cli.terminal import say, say_json, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canopy.gitops.verification import Verified


@click.command()
@click.argument("commits", nargs=-1, metavar="[COMMIT]...")
@click.option("--all", "path", metavar="FILE", help="Every commit of this values file's history that has evidence.")
@click.option(
    "--ballots",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Count the ballots again that `canopy ab export` wrote.",
)
@click.option("--backend", metavar="URL", help="Tell this server of the evidence and of what was found.  [none]")
@click.option("--json", "as_json", is_flag=True, help="For programs: one line for each commit.")
@report_errors
def verify(
    commits: tuple[str, ...], path: str | None, ballots: Path | None, backend: str | None, *, as_json: bool
) -> None:
    """Check the evidence of commits that `canopy promote` and `canopy rollback` made, without asking a server.

    A range such as main..HEAD means its commits that have evidence. Digests are compared with the files, the change
    with the one that the decision makes, the message with the evidence, and the E-values, the interval and the decision
    are computed from the counts again. Of a merge it checks what that brings, and what it changed itself. One wrong
    count, byte, digest or line of the message ends with exit status 1. What couldn't be checked is told.

    With --backend a server is told of it all, and shows it to people: after a merge, or where it couldn't be told when
    the commit was made. It wants a reviewer's token in CANOPY_BACKEND_TOKEN, where it wants one.

    \b
    Examples:
      canopy verify HEAD
      canopy verify HEAD --ballots ballots.jsonl
      canopy verify main..HEAD
      canopy verify --all gitops/canopy/test/backend/config.yaml
      canopy verify HEAD --backend http://127.0.0.1:8000
    """
    from canopy.gitops.repository import Repository
    from canopy.gitops.trail import commits_of_range, commits_with_evidence, name_now, was_ever
    from canopy.gitops.verification import verify as verified

    if ballots and len(commits) != 1:
        raise click.UsageError("--ballots are those of one experiment: name one commit with them.")
    if bool(commits) == (path is not None):
        raise click.UsageError("Name commits, or a values file with --all.")
    repository = Repository.around(Path(path or "."))
    if path is not None:
        name = repository.name_of(Path(path))
        if not was_ever(repository, name):
            repository.require_whole_history()
            raise ConfigError(f"There is no file {path} in the branch that is checked out, and never was: is it right?")
        commits = tuple(commits_with_evidence(repository, name_now(repository, name) or name))
        if not commits:
            raise ConfigError(f"No commit of {path} has evidence.")
    ranges = [it for it in commits if ".." in it]
    commits = tuple(
        commit for it in commits for commit in (commits_of_range(repository, it) if it in ranges else (it,))
    )
    if not commits:
        say(f"No commit of {', '.join(ranges)} has evidence.")
    results = [verified(repository, commit, ballots) for commit in commits]
    for result in results:
        if as_json:
            findings = [{"right": it.right, "sentence": it.sentence} for it in result.findings]
            more = {"findings": findings, "not_checked": list(result.not_checked)}
            say_json({"commit": result.revision, "right": result.right, **more})
        else:
            _tell(result)
    if backend is not None:
        _tell_server(backend.rstrip("/"), results, quiet=as_json)
    wrong = sum(not it.right for it in results)
    if len(results) > 1 and not as_json:
        say(f"{pluralize(len(results), 'commit')}, {wrong or 'none'} wrong.")
    if wrong:
        sys.exit(1)


def _tell(result: "Verified") -> None:
    say(style(f"{result.revision[:10]}  {'right' if result.right else 'WRONG'}", bold=True))
    for it in result.findings:
        say(f"  {'✓' if it.right else style('✗', fg='red')} {it.sentence}")
    if result.not_checked:
        say(f"  not checked here: {'; '.join(result.not_checked)}")


def _tell_server(url: str, results: "Sequence[Verified]", *, quiet: bool) -> None:
    """Tell the server of each, oldest first. Raises ConfigError at the end where one can't be told."""
    from canopy.gitops.server import Server

    server = Server(url, read_settings().backend_bearer_token)
    failed: ConfigError | None = None
    for result in reversed(results):
        if result.takes_away:  # it has nothing to tell
            continue
        try:
            server.tell(result)
        except ConfigError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    if results and not quiet:
        say(f"{url} was told: {url}/promotions")
