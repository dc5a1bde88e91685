"""A real PgBouncer, Debian's, in transaction mode with a pool of two, as the strictest of poolers that people run.

    with PgBouncer(postgres.port) as pooler:
        url = pooler.url(postgres.create_database())

It refuses to run as root: started by root it runs as `nobody`.
"""

import contextlib
import os
import platform
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import pytest

_FOLDER = Path(__file__).parents[2] / ".cache" / "pgbouncer"
_UNPRIVILEGED = "nobody"
_START_SECONDS = 20
_CONFIG = """
[databases]
* = host=127.0.0.1 port={server} user=canopy
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = {auth}
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {pool}
max_client_conn = 100
server_reset_query = DISCARD ALL
server_login_retry = 1
logfile = {folder}/log
{more}
"""


class PgBouncer:
    """One pooler in front of the server at a port of loopback. `more` are lines of its configuration."""

    def __init__(self, server: int, *, mode: str = "transaction", pool: int = 2, auth: str = "any", more: str = ""):
        self._settings = {"server": server, "mode": mode, "pool": pool, "auth": auth, "more": more}
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path()
        self.port = 0

    def __enter__(self) -> Self:
        program = _FOLDER / "usr" / "sbin" / "pgbouncer"
        if not program.exists():
            pytest.skip("no pgbouncer: `make install-dev` gets Debian's")
        self._folder = Path(tempfile.mkdtemp(prefix="canopy-pgbouncer-"))
        # Where an unprivileged user can read them, which the cache may not be.
        shutil.copytree(_FOLDER / "usr", self._folder / "usr", ignore=shutil.ignore_patterns("share"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        (self._folder / "ini").write_text(_CONFIG.format(folder=self._folder, port=self.port, **self._settings))
        (self._folder / "users").write_text('"canopy" "secret"\n')
        self._folder.chmod(0o777)
        as_root = os.geteuid() == 0
        libraries = self._folder / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
        self._process = subprocess.Popen(
            [self._folder / "usr" / "sbin" / "pgbouncer", "-q", self._folder / "ini"],
            env=os.environ | {"LD_LIBRARY_PATH": str(libraries)},
            user=_UNPRIVILEGED if as_root else None,
            group=pwd.getpwnam(_UNPRIVILEGED).pw_gid if as_root else None,
            cwd="/",
        )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            assert self._process.poll() is None, self.log
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            assert time.monotonic() < deadline, "PgBouncer did not start"
            time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def stop(self) -> None:
        """End it, and every connection."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=_START_SECONDS)
            self._process = None

    @property
    def log(self) -> str:
        """What it has logged."""
        path = self._folder / "log"
        return path.read_text() if path.exists() else ""

    def url(self, url: str) -> str:
        """The address of a server's database, by way of this pooler."""
        return f"postgresql://canopy:secret@127.0.0.1:{self.port}/{url.rpartition('/')[2]}"
