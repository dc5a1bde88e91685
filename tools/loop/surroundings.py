"""What the commands of the loop run in: a folder of their own, without settings of the person's that change them."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
_GIT = (2, 32)  # the first that takes GIT_CONFIG_GLOBAL
_OWN = ("GIT_", "CANOPY_", "MLFLOW_", "OTEL_")
_GIT_CONFIG = """\
[user]
\tname = Ada
\temail = ada@example.com
[init]
\tdefaultBranch = main
"""


def require() -> None:
    """Raise click.ClickException where something is missing that the loop needs."""
    git = shutil.which("git")
    if git is None:
        raise click.ClickException("The loop needs Git, and no `git` is on the PATH. Install it, and try again.")
    said = subprocess.run([git, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(map(int, re.findall(r"\d+", said)[:2]))
    if version < _GIT:
        wanted = ".".join(map(str, _GIT))
        raise click.ClickException(f"The loop needs Git {wanted} or newer, and this is {said.strip() or 'none'}.")
    try:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
    except OSError as error:
        raise click.ClickException(f"The loop needs a free port on 127.0.0.1, and there is none: {error}.") from error


def prepare(folder: Path) -> Path:
    """Make the folders, and the file that a shell reads to run what the loop runs. Gives that file.

    Whoever reads it in another terminal can join in.
    """
    (folder / "values").mkdir()
    (folder / "gitconfig").write_text(_GIT_CONFIG)
    own = sorted(name for name in os.environ if name.startswith(_OWN) and name.isidentifier())
    exports = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(ROOT),
        "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),  # nobody's hooks and signatures
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_PAGER": "cat",  # nobody is there to turn pages
        "CANOPY_CONFIG_PATH": str(folder / "mount/config.yaml"),
        "CANOPY_STORE_URL": f"sqlite:///{folder}/canopy.db",
        "CANOPY_PORT": "0",  # a free one
        "CANOPY_BANNER": "false",
    }
    lines = [
        *(f"unset {name}" for name in own),
        *(f"export {name}={shlex.quote(value)}" for name, value in exports.items()),
        f"cd {shlex.quote(str(folder / 'values'))}",
    ]
    file = folder / "env"
    file.write_text("\n".join([*lines, ""]))
    return file
