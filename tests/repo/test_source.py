"""Rules about the source that no linter has."""

import ast
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("backend", "tests", "bench", "tools")
LONGEST = 350  # lines; a module that needs more does two things

_SUPPRESSION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma|nosec|fmt:\s*off|ruff:|mypy:|isort:)")
_WITH_REASON = re.compile(r"# (noqa: [A-Z]+\d+(, [A-Z]+\d+)*|type: ignore\[[a-z-]+(, [a-z-]+)*\])( -|  #) \S.+")


def sources(*suffixes: str) -> Iterator[Path]:
    for folder in FOLDERS:
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in suffixes)


def comments(path: Path) -> Iterator[tuple[int, str]]:
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def test_imports_keep_the_contracts() -> None:
    # In a process of its own: it configures logging, and with that silences every logger that exists.
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache"], cwd=ROOT, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in sources(".py", ".js", ".css", ".html", ".sh")}
    assert lengths
    assert {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > LONGEST} == {}


def test_every_suppressed_finding_says_why() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{line}: {comment}"
        for path in sources(".py")
        for line, comment in comments(path)
        if _SUPPRESSION.match(comment) and not _WITH_REASON.match(comment)
    ]
    assert silent == []


def test_every_rule_that_is_off_in_the_configuration_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    configuration = tomllib.loads(text)["tool"]["ruff"]["lint"]
    rules = [
        *configuration["ignore"],
        *(rule for rules in configuration["per-file-ignores"].values() for rule in rules),
    ]
    tables = text.partition("[tool.ruff.lint]")[2].partition("[tool.mypy]")[0].partition("ignore = [")[2]
    commented = [line for line in tables.splitlines() if "#" in line]
    silent = [rule for rule in rules if not any(f'"{rule}"' in line for line in commented)]
    assert silent == []


_WRITES = re.compile(r"\bsys\.(__)?std(out|err)(__)?\.(write|buffer|flush|reconfigure)|\.show\(\)|\bos\.write\(")


def test_nothing_writes_to_a_terminal_past_the_module_that_cleans() -> None:
    """Ruff's banned-api holds the rest. The log writes JSON, which `jsonlines` cleans; the model's child writes to
    its parent's pipe."""
    others = {
        "backend/canopy/inference/embedded_server.py",
        "backend/canopy/telemetry/line_writer.py",
        "backend/canopy/telemetry/logs.py",
    }
    past = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "backend").rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if _WRITES.search(line)
    ]
    assert {place.partition(":")[0] for place in past} == others, past


# What opens connections over HTTP, by library.
_CLIENTS = {
    "httpx": "Client AsyncClient HTTPTransport AsyncHTTPTransport get post put patch delete head request stream",
    "httpx_aiohttp": "HttpxAiohttpClient AiohttpTransport",
    "aiohttp": "ClientSession request TCPConnector",
    "requests": "Session session get post put patch delete head options request",
    "urllib.request": "urlopen build_opener Request",
    "http.client": "HTTPConnection HTTPSConnection",
    "urllib3": "PoolManager ProxyManager request",
    "llama_stack_client": "DefaultAioHttpClient DefaultAsyncHttpxClient LlamaStackClient",
}


def made_in(source: str) -> set[str]:
    """The clients that a module makes or derives from, as `LIBRARY.NAME`."""
    tree = ast.parse(source)
    annotations = [
        annotation
        for node in ast.walk(tree)
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if annotation is not None
    ]
    types = {id(part) for annotation in annotations for part in ast.walk(annotation)}  # which make nothing
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Attribute) and id(node) not in types:
            found.add(ast.unparse(node))
    return found & {f"{library}.{name}" for library, names in _CLIENTS.items() for name in names.split()}


def test_one_place_makes_clients_of_http() -> None:
    """A client made elsewhere would have its own idea of proxies, certificates and redirects."""
    made = {
        path.relative_to(ROOT / "backend" / "canopy"): made_in(path.read_text())
        for path in sources(".py")
        if path.is_relative_to(ROOT / "backend")
    }
    assert {str(path): clients for path, clients in made.items() if clients and path.parts[0] != "outgoing"} == {}
    assert {"httpx.Client", "httpx.AsyncClient", "requests.Session"} <= set().union(*made.values())


def test_one_folder_asks_mlflow() -> None:
    """Whoever needs something of MLflow's asks there, so that headers, refusals and errors are alike everywhere."""
    package = ROOT / "backend" / "canopy"
    asking = {path.relative_to(package).parts[0] for path in package.rglob("*.py") if "0/mlflow" in path.read_text()}
    assert asking == {"mlflow"}


@pytest.mark.parametrize(
    ("source", "clients"),
    [
        ("import httpx\nwith httpx.Client() as c: pass", {"httpx.Client"}),
        ("import httpx\nclass C(httpx.AsyncClient): pass", {"httpx.AsyncClient"}),
        ("from httpx import AsyncClient as A", {"httpx.AsyncClient"}),
        ("import requests\nrequests.get('http://x')", {"requests.get"}),
        ("import urllib.request\nurllib.request.urlopen('http://x')", {"urllib.request.urlopen"}),
        ("import httpx\nasync def f(c: httpx.AsyncClient) -> httpx.Client: ...", set()),
    ],
)
def test_a_client_is_recognised(source: str, clients: set[str]) -> None:
    assert made_in(source) == clients


@pytest.mark.parametrize(
    ("comment", "fine"),
    [
        ("# noqa: BLE001 - a bad record must not end what logged it", True),
        ("# noqa: S603, S607 - the program under test", True),
        ("# type: ignore[misc]  # the library has no types", True),
        ("# noqa", False),
        ("# noqa: BLE001", False),
        ("# type: ignore", False),
        ("# type: ignore[misc]", False),
        ("# pragma: no cover", False),
    ],
)
def test_a_reason_is_recognised(comment: str, fine: bool) -> None:
    assert _SUPPRESSION.match(comment)
    assert bool(_WITH_REASON.match(comment)) is fine
