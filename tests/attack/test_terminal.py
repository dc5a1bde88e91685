"""Texts that command the terminal of whoever reads them: votes, suites, names of files, answers of servers, values."""

import asyncio
import json
import logging
import os
import pty
import re
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from io import BytesIO
from pathlib import Path

import pytest

from canopy.cli.terminal import clean, say, style
from canopy.store.opening import open_store
from canopy.telemetry import Logs
from canopy.text import json_lines
from tests.contract.store.records import DOWN, Clock, a_ballot, a_comparison, a_generation, a_vote, an_experiment
from tests.support import forking
from tests.support.backend_server import DONE, Answer, FakeBackend, delta
from tests.support.eval_runs import a_run, failed, unscored
from tests.support.terminal import reviewing

pytestmark = pytest.mark.own_server

OBEYED = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
OURS = re.compile(r"\x1b\[(0|1|2|3[1-6])m")  # the styles that Canopy has
# A window's title, hidden letters, the same with 8 bits, a line over another, another direction, a link.
HOSTILE = "\x1b]0;owned\x07\x1b[8m\x9b8m\x85\x08\x7fover\rlay\u202eeman\u2066\u200e\u200f\u061c\u2028\u2029\x1b]8;;http://x\x1b\\"
QUOTED = json.dumps(HOSTILE)
NAME = HOSTILE.replace("/", "") + "\udcff"


def shown(*arguments: str, **env: str) -> str:
    """What a terminal gets of the command, on standard output and standard error together."""
    primary, secondary = pty.openpty()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CANOPY_")}
    environment = inherited | {"TERM": "dumb"} | env
    with ThreadPoolExecutor(1) as thread:
        pieces = thread.submit(_read, primary)
        forking.run(arguments, Path.cwd(), environment, 120, secondary, secondary)
        os.close(secondary)
    return pieces.result().decode(errors="surrogateescape").replace("\r\n", "\n")


def _read(primary: int) -> bytes:
    """All that is written at the other end, until nobody has that any more."""
    pieces = []
    with suppress(OSError):
        while piece := os.read(primary, 65_536):
            pieces.append(piece)
    os.close(primary)
    return b"".join(pieces)


def harmless(text: str, *, told: bool = True) -> None:
    """Nothing in it is obeyed, but some of the hostile text is there if it is to be told."""
    assert not (found := OBEYED.findall(OURS.sub("", text))), (found, text)
    assert "over" in text or not told


def suite(folder: Path, expected: str = "Something.", name: str = "x_tests.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    scorers = "basic::equality: null"
    tests = f"- prompt: {QUOTED}\n  expected_result: {json.dumps(expected)}\n"
    path.write_text(f"name: {QUOTED}\nendpoint: /summarize\nscoring_params: {{{scorers}}}\ntests:\n{tests}")
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("check-values", NAME),
        ("serve", f"--{NAME}"),
        (NAME,),
        ("export", "--since", HOSTILE),
        ("export", "--rating", HOSTILE),
        ("prune", "--older-than", HOSTILE),
        ("evals", "list", NAME),
        ("evals", "gate", NAME),
        ("evals", "review", NAME),
        ("judge", "run", "--judge", HOSTILE),
    ],
)
def test_arguments_that_are_wrong(arguments: tuple[str, ...]) -> None:
    """The names of files come from whoever made them, as with `*.yaml`."""
    harmless(shown(*arguments, CANOPY_STORE_URL="sqlite:////nonexistent/canopy.db"), told=NAME in arguments)


def test_settings_that_are_wrong() -> None:
    harmless(shown("export", CANOPY_PORT=HOSTILE, CANOPY_STORE_URL="sqlite:////nonexistent/canopy.db"), told=False)


@pytest.mark.parametrize("values", ["", f"{QUOTED}: 1", f"summarize: {{model: [{QUOTED}]}}", f"a: &{QUOTED}", HOSTILE])
def test_a_file_of_values(tmp_path: Path, values: str) -> None:
    path = tmp_path / NAME
    path.write_text(values, "utf-8")
    harmless(shown("check-values", str(path)))


def test_suites_and_the_names_of_their_files(tmp_path: Path) -> None:
    path = suite(tmp_path, name=NAME[:40] + "_tests.yaml")
    other = suite(tmp_path, "Another.", name="export.yaml")
    harmless(shown("evals", "list", str(tmp_path)))
    told = shown("evals", "merge", str(other), "into", str(path))
    assert "1 conflict" in told
    harmless(told)
    path.write_bytes(b"name: [")
    harmless(shown("evals", "list", str(tmp_path)))


def test_reviewing_a_suite(tmp_path: Path) -> None:
    with reviewing(suite(tmp_path, ""), writing="mine") as terminal:
        terminal.reads("[q]uit")
        terminal.types("t\n")
        terminal.reads("[q]uit")
        terminal.types("\n")
        terminal.reads("Saved.")
    harmless(terminal.seen)


async def test_what_a_backend_answers(tmp_path: Path) -> None:
    """Its words, its errors and what it says of itself, while it is asked and in every summary later."""
    refusal = json.dumps({"error": {"message": HOSTILE, "code": HOSTILE}, "detail": HOSTILE}).encode()
    folder = suite(tmp_path / "suites").parent
    (folder / "thresholds.yaml").write_text("scorers: {basic::equality: {decides: true}}")
    async with FakeBackend() as backend:
        for answer in (
            Answer((delta(HOSTILE), DONE)),
            Answer((refusal,), status=422, content_type="application/json"),
            Answer((refusal,), status=500, content_type="application/json"),
            Answer((b"data: " + refusal + b"\n\n",)),
        ):
            backend.default = answer
            out = str(tmp_path / NAME)
            run = ("evals", "run", str(folder), "--backend", backend.url, "-o", out)
            harmless(await asyncio.to_thread(shown, *run))
            speed = ("evals", "speed", str(folder), "--backend", backend.url, "--requests", "2", "--warmup", "0")
            harmless(await asyncio.to_thread(shown, *speed), told=False)
            harmless(await asyncio.to_thread(shown, "evals", "report", f"{out}/results.json"))


def test_results_that_somebody_sent(tmp_path: Path) -> None:
    run = a_run(failed(prompt=HOSTILE, reason=HOSTILE), unscored(suite=HOSTILE, file=HOSTILE))
    (tmp_path / "results.json").write_text(run.model_dump_json())
    harmless(shown("evals", "gate", str(tmp_path)), told=False)
    (tmp_path / "results.json").write_text(json.dumps({HOSTILE: 1}))
    harmless(shown("evals", "gate", str(tmp_path)), told=False)


async def test_votes_prompts_and_what_mlflow_said(tmp_path: Path) -> None:
    """`ab report`, `export`, `judge run` and `outbox list`, from a store in which every text is hostile."""
    url = f"sqlite:///{tmp_path / 'canopy.db'}"
    store = open_store(url, clock=Clock())
    await store.start()
    store.outbox.on = True
    names = {"id": f"exp_{HOSTILE}", "model": HOSTILE, "prompt_text": HOSTILE, "prompt_b_text": HOSTILE}
    comparison = await a_comparison(store, experiment=an_experiment(**names), user_id=HOSTILE)
    await store.comparisons.record_ballot(a_ballot(comparison, comment=HOSTILE))
    generation = a_generation(input_text=HOSTILE, response_text=HOSTILE, span_id="0123456789abcdef")
    await store.generations.record(generation)
    await store.feedback.record(a_vote(generation, comment=HOSTILE, **DOWN))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "canopy.db")) as database, database:
        assert database.execute("UPDATE outbox SET problem = ?", (HOSTILE,)).rowcount
    (tmp_path / "values.yaml").write_text(f"summarize: {{model: {QUOTED}}}")
    env = {"CANOPY_STORE_URL": url, "CANOPY_CONFIG_PATH": str(tmp_path / "values.yaml")}
    for arguments in (
        ("ab", "report"),
        ("ab", "report", "--json"),
        ("export",),
        ("outbox", "list", "--waiting"),
    ):
        harmless(await asyncio.to_thread(shown, *arguments, **env))


def test_the_banner_and_the_log(tmp_path: Path) -> None:
    """They show prompts and models of the values; a port that is taken ends the process after them or before."""
    path = tmp_path / NAME
    path.write_text(f"summarize: {{model: {QUOTED}, prompt: {QUOTED}, enabled: true}}")
    primary, secondary = pty.openpty()
    env = os.environ | {"CANOPY_CONFIG_PATH": str(path), "CANOPY_STORE_URL": f"sqlite:///{tmp_path}/canopy.db"}
    env |= {"CANOPY_PORT": "0", "CANOPY_BANNER": "true"}
    command = [sys.executable, "-m", "canopy", "serve"]
    seen = b""
    with subprocess.Popen(command, stdin=secondary, stdout=secondary, stderr=secondary, env=env) as process:
        os.close(secondary)
        try:
            while b"Ctrl-C ends it" not in seen or b"store  " not in seen:
                seen += os.read(primary, 65_536)
        finally:
            process.terminate()
            process.wait(30)
            os.close(primary)
    harmless(seen.decode(errors="surrogateescape").replace("\r\n", "\n"))


def test_json_that_stays_json() -> None:
    line = json_lines.dump({HOSTILE: [HOSTILE]})
    assert json.loads(line) == {HOSTILE: [HOSTILE]}
    assert not OBEYED.search(line.decode())
    for code in [*range(0xD800), *range(0xE000, 0x3000)]:
        sign = chr(code)
        written = json_lines.dump(sign).decode()
        assert json.loads(written) == sign
        assert not OBEYED.search(written)


def test_lines_of_libraries_with_half_a_character() -> None:
    stream = BytesIO()
    Logs(stream=stream).emit_record(logging.LogRecord("x", logging.ERROR, "x", 1, "no file %s", (NAME,), None))
    line = stream.getvalue().decode()
    assert "no file" in json.loads(line)["message"]
    assert not OBEYED.search(line.rstrip("\n"))


def test_colours_that_only_canopy_gives(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a code in a text nor one that looks like Canopy's own is obeyed, inside a colour or outside."""
    say(style(HOSTILE, fg="green") + HOSTILE)
    harmless(capsys.readouterr().out)


@pytest.mark.parametrize("text", ["plain\n\ttext", "Ünïcödé 你好 👩‍👩‍👧 שלום مرحبا"])
def test_honest_text_stays(text: str) -> None:
    assert clean(text) == text
