"""Runs the program `git`: what people have configured for it holds here, but for how its history is listed."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from canopy.base.errors import ConfigError
from canopy.base.settings import environment_with

_PATIENCE = 120  # seconds for a remote to answer


class GitError(ConfigError):
    """Git refused; the sentence ends with what it said."""


class ShallowCloneError(ConfigError):
    """What is asked for may be in the history that this clone leaves out: nothing can be said of it here."""


def run_git(
    folder: Path,
    *arguments: str,
    given: bytes = b"",
    more: Mapping[str, str] | None = None,
    statuses: tuple[int, ...] = (0,),
) -> bytes:
    """Return what Git writes; `more` are environment variables, `statuses` those exit statuses that are no failure.

    Raises GitError where it fails, and ConfigError where there is no Git.
    """
    plain = ["-c", "log.showSignature=false", "-c", "log.follow=false"]
    literal = [] if arguments[0] == "check-ignore" else ["--literal-pathspecs"]  # which that refuses
    try:
        result = subprocess.run(  # noqa: S603 - the program is git, and no argument of it runs another
            ["git", *plain, *literal, *arguments],  # noqa: S607 - the one that people have
            cwd=folder,
            env=environment_with({"LC_ALL": "C", **(more or {})}),
            input=given,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except FileNotFoundError as error:
        raise ConfigError("Canopy needs the program `git` for this, which isn't installed here.") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git {arguments[0]} did not end within {_PATIENCE} seconds.") from error
    if result.returncode not in statuses:
        said = result.stderr.decode(errors="replace").strip() or result.stdout.decode(errors="replace").strip()
        raise GitError(f"git {arguments[0]} failed: {said}")
    return result.stdout
