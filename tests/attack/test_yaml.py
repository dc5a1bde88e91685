"""Files of YAML that are small and cost much, or that mean something else than they say."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from canopy.auth.tokens import Tokens
from canopy.base.errors import ConfigError
from canopy.config.source import ConfigSource
from canopy.evals.suites.cases import find, load
from canopy.evals.suites.editing import EditableSuite
from canopy.text.yaml_loader import load as load_yaml
from tests.support.commands import run_canopy

pytestmark = pytest.mark.own_server

SUITE = b"name: x\nendpoint: /summarize\nscoring_params: {basic::equality: null}\ntests:\n"


def doubling(first: str, following: str, times: int) -> bytes:
    """A document each of whose lines repeats the one before twice."""
    lines = [f"a0: &a0 {first}", *(f"a{n}: &a{n} {following.replace('~', f'*a{n - 1}')}" for n in range(1, times))]
    return "\n".join(lines).encode()


SHAPES = {
    "aliases": doubling("[x, x]", "[~, ~]", 40),
    "merge keys": doubling("{k: x}", "{<<: [~, ~]}", 40),
    "aliases as a key": doubling("[x, x]", "[~, ~]", 40) + b"\n? *a39\n: x",
    "an alias inside itself": b"a: &a [*a]",
    "lists in lists": b"[" * 80_000,
    "keys in keys": b"? " * 40_000,
    "lines that end in CR": SUITE.replace(b"\n", b"\r") + b"- prompt: one\r  expected_result: two\r",
    "one test again and again": SUITE + b"- &a\n" + b"#\n" * 20_000 + b"  prompt: one\n" + b"- *a\n" * 8_000,
    "numbers that never end": b"name: 1" + b"0" * 80_000,
    "hexadecimal": b"name: 0x" + b"f" * 80_000,
    "numbers to the base of 60": b"name: 1" + b":59" * 27_000,
    "a tag that runs a program": b"name: !!python/object/apply:os.system [id]",
    "a day that there is not": b"name: !!timestamp 2026-13-45",
    "a text as a number": b"name: !!int x",
    "a NUL": b"name: a\0b",
    "half a surrogate pair": b'name: "\\ud800"',
    "20,000 mistakes": SUITE + b"- 1\n" * 20_000,
    "keys that hash alike": b"".join(b"%d: x\n" % (n * (2**61 - 1)) for n in range(1, 4_000)),
}


def values(path: Path) -> object:
    return ConfigSource(path)


@pytest.mark.parametrize("read", [values, Tokens, load, EditableSuite.read], ids=["values", "tokens", "suite", "merge"])
@pytest.mark.parametrize("content", SHAPES.values(), ids=SHAPES.keys())
def test_yaml_that_costs_more_than_it_holds(tmp_path: Path, content: bytes, read: Callable[[Path], object]) -> None:
    """Each ends with a sentence, after work in proportion to the file: a thousand steps for each of its bytes."""
    path = tmp_path / "x_tests.yaml"
    path.write_bytes(content)
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1
        assert steps < 1_000 * len(content) + 100_000

    sys.setprofile(count)
    try:
        read(path)
    except ConfigError as error:
        refused = error
    else:
        assert content == SHAPES["lines that end in CR"]
        assert read in (load, EditableSuite.read), "it is a suite"
        return
    finally:
        sys.setprofile(None)
    assert refused.sentence.endswith((".", "?"))
    assert len(refused.sentence) < 2_000


@pytest.mark.parametrize(
    "content", [b"endpoint : x\n", b"#\n", b"tests\n", b"x" * 40, b"endpoint\n\n\n"], ids=lambda shape: shape.decode()
)
def test_another_file_beside_the_suites(tmp_path: Path, content: bytes) -> None:
    """Looking whether a file is a suite takes a time that grows with its size, and not with the square of it."""
    (tmp_path / "real_tests.yaml").write_bytes(SUITE)

    def seconds(size: int) -> float:
        (tmp_path / "other.yaml").write_bytes(content * (size // len(content)))
        began = time.process_time()
        assert [path.name for path in find(tmp_path)] == ["real_tests.yaml"]
        return time.process_time() - began

    small = max(min(seconds(4_000) for _ in range(3)), 0.001)
    assert seconds(80_000) < 100 * small  # twenty times as much; the square would be four hundred


def test_a_file_without_an_end() -> None:
    """A device is read up to a bound."""
    with pytest.raises(ConfigError, match="larger than"):
        ConfigSource(Path("/dev/zero"))
    with pytest.raises(ConfigError, match="larger than"):
        load(Path("/dev/zero"))


@pytest.mark.parametrize(
    "command",
    [
        ("merge", "/dev/zero", "into", "merged.yaml"),
        ("report", "/dev/zero"),
        ("run", "suite.yaml", *("--backend", "http://127.0.0.1:9"), "--baseline", "/dev/zero"),
    ],
    ids=lambda command: command[0],
)
def test_a_file_without_an_end_for_a_command(tmp_path: Path, command: tuple[str, ...]) -> None:
    """The command ends with a sentence long before the memory does."""
    (tmp_path / "suite.yaml").write_text(
        "name: x\nendpoint: /summarize\nscoring_params: {rouge: null}\ntests: [{prompt: one, expected_result: two}]\n"
    )
    done = subprocess.run(
        ["bash", "-c", 'ulimit -v 3000000; exec "$@"', "-", sys.executable, "-m", "canopy", "evals", *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode in (1, 2)
    assert "/dev/zero is larger than" in done.stderr
    assert "Traceback" not in done.stderr


def test_keys_and_scalars_mean_what_stands_there() -> None:
    """What YAML 1.1 takes for days, times and truths in the place of a key is text, as Helm has it."""
    document, _ = load_yaml(b"on: 12:30:45\n2026-01-31: 2026-01-31\n1: yes\n'null': ~\nbase: &b {k: 1}\nx: {<<: *b}")
    assert document == {
        "on": "12:30:45",
        "2026-01-31": "2026-01-31",
        "1": True,
        "null": None,
        "base": {"k": 1},
        "x": {"k": 1},
    }


@pytest.mark.parametrize("command", [("check-values",), ("evals", "list"), ("evals", "review"), ("evals", "merge")])
def test_commands_on_such_files(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A sentence, and no traceback."""
    for number, content in enumerate(SHAPES.values()):
        path = tmp_path / f"{number}_tests.yaml"
        path.write_bytes(content)
    for path in [tmp_path / "0_tests.yaml", tmp_path / "4_tests.yaml"]:
        arguments = [str(path)] if command[-1] != "merge" else [str(path), "into", str(path)]
        done = run_canopy(*command, *arguments)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith(("Error:", "Usage:"))
