"""Options of the commands that change a values file through Git, and what they have in common."""

import asyncio
import difflib
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from canopy.base.errors import ConfigError
from canopy.cli.common import read_settings
from canopy.cli.terminal import ask, say, style
from canopy.text.visible import has_visible

if TYPE_CHECKING:
    from canopy.gitops.handover import Destination, HandedOver
    from canopy.gitops.hosting.forge import PullRequest
    from canopy.gitops.hosting.hosts import HostKind
    from canopy.gitops.repository import Repository


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options say about where a change goes."""

    commit: bool
    branch: str | None
    push: bool
    pull_request: bool
    push_live: bool
    remote: str
    host: "HostKind | None"
    dry_run: bool

    @property
    def delivers(self) -> bool:
        """Return whether any option wants a commit."""
        return not self.dry_run and (self.commit or self.branch is not None or self.push or self.pull_request)


def delivery_options[F: Callable[..., Any]](command: F) -> F:
    """Add the options of `Wanted`, each under its name."""
    for option in reversed(
        (
            click.option("--commit", is_flag=True, help="Commit the change, on the branch that is checked out."),
            click.option(
                "--branch", metavar="NAME", help="Commit it on a new branch; the working copy stays as it is."
            ),
            click.option("--push", is_flag=True, help="Push the commit to its branch on the remote."),
            click.option("--pull-request", is_flag=True, help="Push it to a branch, and ask for a review of it there."),
            click.option("--push-live", is_flag=True, help="Push even to the branch that Argo CD reads."),
            click.option("--remote", default="origin", show_default=True, metavar="NAME", help="Where to push."),
            click.option(
                "--host", type=click.Choice(["gitea", "github", "gitlab"]), help="What the remote is.  [asked]"
            ),
            click.option("--dry-run", is_flag=True, help="Show the change, and write nothing."),
        )
    ):
        command = option(command)
    return command


def readable_reason(_context: click.Context, _option: click.Parameter, why: str | None) -> str | None:
    """Return what `--why` says. Raises BadParameter where nobody could read it: it would hide that it is there."""
    if why is not None and not has_visible(why):
        raise click.BadParameter("say it in words that people can read, or leave it out.")
    return why


def show_change(name: str, before: bytes, after: bytes) -> None:
    """Print what changes in a file, as a unified diff."""
    lines = difflib.unified_diff(_lines(before), _lines(after), f"a/{name}", f"b/{name}", n=2)
    for line in lines:
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1]) if line[:3] not in ("+++", "---") else None
        say(style(line.rstrip("\r\n"), fg=colour) if colour else line.rstrip("\r\n"))


def hand_over(
    wanted: Wanted,
    repository: "Repository",
    files: Mapping[str, bytes],
    message: str,
    to: "Destination",
    beside: Callable[[], None] | None = None,
) -> "HandedOver | None":
    """Deliver a change as the options say, once it is confirmed on a terminal. Returns None for a dry run.

    `beside` is a change elsewhere that the commit tells of. Raises ConfigError, also for a dry run of what couldn't be
    committed: the file has changes that no commit has.
    """
    from canopy.gitops.handover import deliver

    if not wanted.delivers:
        if repository.is_changed(*files):
            name = next(iter(files))
            raise ConfigError(
                f"Nothing was written, and this can't be committed: {name} has changes that no commit has. Commit or "
                "undo them first."
            )
        if wanted.dry_run or not is_interactive():
            say()
            say("Nothing was written. Say --commit, --branch NAME, or --pull-request to go on.")
            return None
        say()
        question = "Commit this?" if beside is None else "Change the registry, and commit the evidence?"
        if ask(f"{question} [y/N] ", "ny") == "n":
            return None
    opening = _pull_request(wanted, repository, to) if wanted.pull_request else None
    delivered = deliver(repository, files, message, to, beside)
    where = f" and pushed to {to.remote}" if delivered.pushed else ""
    say(f"Committed {delivered.revision[:10]} on {delivered.branch}{where}.")
    if opening is not None:
        title, _, body = message.partition("\n")
        opened = asyncio.run(opening(branch=delivered.branch, title=title, body=body.strip()))
        say(f"{'Open already' if opened.existed else 'Opened'}: {opened.url}")
    if not delivered.pushed:
        say(f"To bring it to the others: git push {wanted.remote} {delivered.branch}")
    return delivered


def _pull_request(
    wanted: Wanted, repository: "Repository", to: "Destination"
) -> "Callable[..., Coroutine[Any, Any, PullRequest]]":
    """Return what opens the pull request. Whatever it needs is looked for now, before anything is written."""
    from canopy.gitops.handover import live_branch
    from canopy.gitops.hosting.hosts import host_of
    from canopy.gitops.hosting.pull_requests import open_pull_request

    token = read_settings().git_access_token
    if token is None:
        raise ConfigError("A pull request takes a token of the Git host: put one into CANOPY_GIT_TOKEN.")
    base = repository.branch or live_branch(repository, wanted.remote, to.live)
    if base is None:
        raise ConfigError("No branch is checked out, so the pull request has none to go into. Check one out.")
    host = host_of(repository.remote_url(wanted.remote), wanted.host)
    return partial(open_pull_request, host, token, base=base)


def delivery_of(wanted: Wanted, branch: str, live: str | None) -> "Destination":
    """Return where a change goes; `branch` is the name of a new branch where a pull request wants one."""
    from canopy.gitops.handover import Destination

    if wanted.push_live and not (wanted.push or wanted.pull_request):
        raise click.UsageError("--push-live is about --push: say both.")
    pushes = wanted.push or wanted.pull_request
    named = wanted.branch or (branch if wanted.pull_request else None)
    return Destination(named, wanted.remote if pushes else None, live, to_live=wanted.push_live)


def values_in(path: str) -> tuple["Repository", str, bytes]:
    """Return a values file's repository, its path there, and its content as Git stores it. Raises ConfigError.

    In the working copy it may have other line ends; where it has changes that no commit has, the content is with them.
    """
    from canopy.config.loading import read_values_file
    from canopy.gitops.repository import Repository

    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"There is no file {path}.{_name_now(file)}")
    repository = Repository.around(file)
    name, here = repository.name_of(file), read_values_file(file)
    stored = repository.stored(name)
    if stored is None:
        return repository, name, here
    if _with_plain_ends(stored) != _with_plain_ends(here):
        raise ConfigError(
            f"Git stores {path} in another form than it has here, by a filter of .gitattributes, so a digest of it "
            "would be that of the other form. Take the filter off this file."
        )
    return repository, name, stored


def _name_now(file: Path) -> str:
    """Return a sentence on what a file is called that has got another name; nothing where Git doesn't tell."""
    from canopy.gitops.repository import Repository
    from canopy.gitops.trail import name_now

    try:
        repository = Repository.around(file)
        now = name_now(repository, repository.name_of(file))
    except ConfigError:  # it need not be in a repository
        return ""
    return f" It is called {os.path.relpath(repository.root / now)} by now: name that." if now else ""


def is_interactive() -> bool:
    """Return whether a person is there to be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _with_plain_ends(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")


def _lines(content: bytes) -> list[str]:
    return content.decode(errors="replace").splitlines(keepends=True)
