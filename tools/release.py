"""Makes a release: sets the version, dates what CHANGELOG.md has under "Unreleased", commits, and tags.

    make release VERSION=1.2.3          DRY=1 only says what it would do

`canopy.__version__` is the version. What can't read it, because it is no Python, repeats it in the places below; a test
holds them equal. Nothing is pushed.
"""

import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from packaging.version import Version

from canopy.cli.terminal import say

ROOT = Path(__file__).parents[1]
MODULE = "backend/canopy/__init__.py"
# Each group is the version. The first file is where it is read from.
PLACES = {
    MODULE: r'^__version__ = "(.+)"$',
    "helm/canopy/Chart.yaml": r'^(?:version: |appVersion: ")([^"\n]+)"?$',
    "Dockerfile": r"^ARG VERSION=(.+)$",
    "README.md": r'(?:  Canopy |"version":")(\d[\w.]+)',
    "canopy-evals/pipeline/README.md": r"(?:\$IMAGE|/canopy-evals):(\d[\w.]+)",
    "canopy-evals/pipeline/kubeflow.py": r"/canopy-evals:(\d[\w.]+)",
    "canopy-evals/pipeline/kubeflow.yaml": r"/canopy-evals:(\d[\w.]+)",
    "canopy-evals/pipeline/tekton/pipeline.yaml": r"/canopy-evals:(\d[\w.]+)",
}
CHANGELOG = "CHANGELOG.md"
_UNRELEASED = re.compile(r"^## Unreleased\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def stated(root: Path) -> Iterator[tuple[str, str]]:
    """Each place that states the version, as its file and what it states."""
    for file, pattern in PLACES.items():
        for match in re.finditer(pattern, (root / file).read_text(), re.MULTILINE):
            yield file, match[1]


def release(root: Path, version: str, today: str, *, dry: bool = False) -> list[str]:
    """Release a checkout under this version, or only look whether that can be done. Gives the files that it concerns.

    Raises click.ClickException where the version, the checkout, the changelog or Git forbids it. Nothing has changed
    then, unless it says what could not be taken back.
    """
    current = next(said for _, said in stated(root))
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise click.ClickException(f"{version or 'Nothing'} is no version: write three numbers, such as 1.2.3.")
    if Version(version) <= Version(current):
        raise click.ClickException(f"{version} isn't greater than {current}, the version now.")
    if _git(root, "tag", "--list", f"v{version}"):
        raise click.ClickException(f"There is a tag v{version} already.")
    if (branch := _git(root, "rev-parse", "--abbrev-ref", "HEAD").strip()) != "main":
        raise click.ClickException(f"Releases are made of main, and this is {branch}.")
    if changed := _git(root, "status", "--porcelain"):
        raise click.ClickException(f"Commit or take back first:\n{changed}")
    changelog = (root / CHANGELOG).read_text()
    notes = _UNRELEASED.search(changelog)
    if not notes or not notes[1].strip():
        raise click.ClickException(f'{CHANGELOG} has nothing under "Unreleased".')
    files = [*PLACES, CHANGELOG]
    if not dry:
        with _taken_back(root, files):
            for file, pattern in PLACES.items():
                _rewrite(root / file, pattern, version)
            dated = f"## Unreleased\n\n## {version} ({today})\n"
            (root / CHANGELOG).write_text(changelog.replace("## Unreleased\n", dated, 1))
            _git(root, "commit", "--quiet", f"--message=Release {version}", "--", *files)
            _git(root, "tag", "--annotate", f"v{version}", f"--message=Canopy {version}")
    return files


@contextmanager
def _taken_back(root: Path, files: Iterable[str]) -> Iterator[None]:
    """Leave the checkout as it was where a step fails: a hook refuses, a name is taken, somebody presses Ctrl-C."""
    before = _git(root, "rev-parse", "HEAD")
    try:
        yield
    except BaseException as error:
        try:
            _git(root, "reset", "--quiet", "--keep", before)
            _git(root, "checkout", "--quiet", before, "--", *files)
        except click.ClickException as failed:
            why = error.format_message() if isinstance(error, click.ClickException) else "Interrupted."
            left = f"What was done could not be taken back, to {before[:12]}: {failed.format_message()}"
            raise click.ClickException(f"{why}\n{left}") from error
        raise


def _rewrite(path: Path, pattern: str, version: str) -> None:
    def replaced(match: re.Match[str]) -> str:
        start, end = match.start(1) - match.start(), match.end(1) - match.start()
        return match[0][:start] + version + match[0][end:]

    path.write_text(re.sub(pattern, replaced, path.read_text(), flags=re.MULTILINE))


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"git {arguments[0]}: {done.stdout}{done.stderr}")
    return done.stdout.rstrip()


@click.command()
@click.argument("version", default="")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def main(version: str, *, dry_run: bool) -> None:
    """Release the checkout under VERSION."""
    files = release(ROOT, version, datetime.now(UTC).date().isoformat(), dry=dry_run)
    if dry_run:
        say(f"Would set {version} in {', '.join(files)}, commit, and tag v{version}.")
    else:
        say(f"Released {version}: look at it with `git show v{version}`, then `git push --follow-tags`.")


if __name__ == "__main__":
    main()
