"""What holds for every test: under `CI=true` nothing that should run is skipped unnoticed.

And the servers of which a test session has one each, because they take too long to start for each test.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import ssl
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from tests.support.scratch import use_memory

if TYPE_CHECKING:  # a run of a part needs little of it, and some tests are such runs
    from canopy.store.store import Store
    from tests.support.mlflow import MlflowServer
    from tests.support.postgres import PostgresServer
    from tests.support.stacks import Stacks

# A deadline would measure the machine, and so would the time that making inputs takes.
settings.register_profile("canopy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("canopy")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--address` is for tests/attack alone, and is declared where pytest looks for options."""
    parser.addoption("--address", help="attack the server that runs at this address (tests/attack)")
    parser.addoption("--sqlite", action="store_true", help="leave out what needs PostgreSQL")


def pytest_configure() -> None:
    """Let signals reach the programs under test. What a shell runs in the background ignores two, with its children."""
    use_memory()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:  # by which PgBouncer is ended
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage in what is collected, neither meanwhile nor whenever a test makes some: all of it stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what `--sqlite` asks for, and begin with the files that take longest: at the end all would wait for one."""
    if config.getoption("sqlite"):
        left_out = [item for item in items if "postgres" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """Keep together what shares a large server, where files are what is handed out."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.support.distributing import TogetherScheduling

    return TogetherScheduling(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the time went."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds["/".join(report.nodeid.split("/")[:2])] += report.duration
    if seconds:
        terminalreporter.write_sep("=", "seconds by folder")
    for folder, spent in sorted(seconds.items(), key=lambda each: -each[1]):
        terminalreporter.write_line(f"{spent:7.1f}s {folder}")


PLATFORM = "platform: "  # a skip whose reason begins so can't be helped on this kind of machine


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure, unless the platform is the reason or the test is expected to fail."""
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if reason.removeprefix("Skipped: ").startswith(PLATFORM):
        return
    report.outcome = "failed"
    report.longrepr = f"Skipped although CI=true promises that everything runs. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,  # noqa: ARG001 - pytest hands arguments over by name
    call: pytest.CallInfo[Any],  # noqa: ARG001 - as above
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Look at each phase of each test."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.fixture(scope="session", autouse=True)
def _one_list_of_authorities() -> Generator[None]:
    """Let clients of httpx share the world's authorities: each would read the list for itself, for 20 ms of CPU.

    Nearly every test makes a client or four, and they speak plain HTTP on loopback. A client that is told whom to
    trust goes on as it would, and so does one whose environment says something else than before. Where
    no test has imported httpx, there is nothing to save.
    """
    if "httpx" not in sys.modules:
        yield
        return
    from httpx._transports import default

    create: Callable[..., ssl.SSLContext] = vars(default)["create_ssl_context"]
    shared: dict[tuple[str | None, ...], ssl.SSLContext] = {}

    def created(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        if verify is not True or cert or not trust_env:
            return create(verify, cert, trust_env)
        said = tuple(map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")))
        if said not in shared:
            shared[said] = create()
        return shared[said]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(default, "create_ssl_context", created)
        yield


@pytest.fixture(autouse=True)
def _loggers_stay_on() -> Generator[None]:
    """Fail the test that silences Canopy's loggers, not the one that waits for a line of theirs later."""
    yield
    silent = [name for name in logging.root.manager.loggerDict if logging.getLogger(name).disabled]
    for name in silent:
        logging.getLogger(name).disabled = False
    assert not [name for name in silent if name.startswith("canopy")], "this test configured logging for all others"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,  # noqa: ARG001 - as above
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Look at modules that skip themselves as a whole."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    """A real PostgreSQL, for tests that don't crash it."""
    from tests.support.postgres import PostgresServer, PostgresUnavailable

    try:
        with PostgresServer(fsync=False) as server:
            yield server
    except PostgresUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store]:
    """A new store on SQLite, for tests of what uses one; those of the store itself have their own."""
    from canopy.store.opening import open_store
    from tests.support.server import empty_database

    (tmp_path / "canopy.db").write_bytes(empty_database())
    store = open_store(f"sqlite:///{tmp_path}/canopy.db")
    await store.start()
    yield store
    await store.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stacks(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stacks]:
    """The real Llama Stack and OGX."""
    from tests.support.stacks import open_stacks

    async with open_stacks(tmp_path_factory.mktemp("stacks")) as opened:
        yield opened


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Generator[MlflowServer]:
    """A real MLflow. Each test makes an experiment of its own there; one that stops the server starts it again."""
    from tests.support.mlflow import MlflowServer

    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.close()
