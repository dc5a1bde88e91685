"""A log whose reader is slow, stopped or gone: who writes a line neither waits nor fails, and what is lost counts."""

import fcntl
import os
import termios
from collections.abc import Generator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest

from canopy.telemetry.line_writer import LineWriter

LINE = b"x" * 999
MORE_THAN_A_PIPE = [b"%05d" % number + LINE for number in range(500)]


class Lost:
    """Counts calls."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def lost() -> Lost:
    return Lost()


@pytest.fixture
def pipe() -> Generator[tuple[BinaryIO, BinaryIO]]:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "wb", buffering=0) as writer:
        yield reader, writer


def test_a_line_is_out_when_write_returns(pipe: tuple[BinaryIO, BinaryIO], lost: Lost) -> None:
    reader, writer = pipe
    LineWriter(writer, lost).write(b"one")
    os.set_blocking(reader.fileno(), False)
    assert os.read(reader.fileno(), 100) == b"one\n"


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "not blocking"])
def test_lines_that_fill_the_pipe_wait_for_its_reader_in_order(
    blocking: bool, pipe: tuple[BinaryIO, BinaryIO], lost: Lost
) -> None:
    reader, writer = pipe
    os.set_blocking(writer.fileno(), blocking)
    lines = LineWriter(writer, lost)
    for line in MORE_THAN_A_PIPE:
        lines.write(line)
    assert [reader.readline().rstrip(b"\n") for _ in MORE_THAN_A_PIPE] == MORE_THAN_A_PIPE
    lines.close(10)
    lines.write(b"last")
    assert reader.readline() == b"last\n"
    assert lost.count == 0


def test_a_line_longer_than_the_pipe_takes_at_once_is_whole(pipe: tuple[BinaryIO, BinaryIO], lost: Lost) -> None:
    reader, writer = pipe
    lines = LineWriter(writer, lost)
    long = b"y" * 1_000_000
    lines.write(long)
    lines.write(b"after")
    assert reader.readline() == long + b"\n"
    assert reader.readline() == b"after\n"


def test_what_waits_has_a_bound_and_what_is_beyond_it_is_counted(
    pipe: tuple[BinaryIO, BinaryIO], lost: Lost, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    monkeypatch.setattr("canopy.telemetry.line_writer._MOST", 100_000)
    lines = LineWriter(writer, lost)
    for line in MORE_THAN_A_PIPE:
        lines.write(line)
    assert 0 < lost.count < len(MORE_THAN_A_PIPE)
    came = [reader.readline() for _ in range(len(MORE_THAN_A_PIPE) - lost.count)]
    assert b"".join(came) == b"".join(line + b"\n" for line in MORE_THAN_A_PIPE[: len(came)])


def test_a_reader_that_is_gone_costs_lines_and_no_error(pipe: tuple[BinaryIO, BinaryIO], lost: Lost) -> None:
    reader, writer = pipe
    lines = LineWriter(writer, lost)
    reader.close()
    for _ in range(3):
        lines.write(b"one")
    assert lost.count == 3


def test_a_reader_that_goes_while_lines_wait_costs_those(pipe: tuple[BinaryIO, BinaryIO], lost: Lost) -> None:
    reader, writer = pipe
    lines = LineWriter(writer, lost)
    fcntl.fcntl(writer.fileno(), fcntl.F_SETPIPE_SZ, 4096)
    for line in MORE_THAN_A_PIPE[:20]:
        lines.write(line)
    reader.close()
    lines.close(10)
    assert 10 < lost.count <= 20


def test_a_full_disk_costs_lines_and_no_error(lost: Lost) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("This system has no /dev/full.")
    with Path("/dev/full").open("wb", buffering=0) as full:
        LineWriter(full, lost).write(b"one")
    assert lost.count == 1


def test_a_process_without_standard_output_goes_on(lost: Lost) -> None:
    LineWriter(None, lost).write(b"one")
    assert lost.count == 1


def test_a_buffer_takes_lines_too(lost: Lost) -> None:
    buffer = BytesIO()
    LineWriter(buffer, lost).write(b"one")
    assert buffer.getvalue() == b"one\n"
    assert lost.count == 0


def test_a_terminal_that_was_stopped_keeps_nobody_waiting(lost: Lost) -> None:
    master, terminal = os.openpty()
    with os.fdopen(master, "rb", buffering=0) as reader, os.fdopen(terminal, "wb", buffering=0) as writer:
        termios.tcflow(writer, termios.TCOOFF)  # as Ctrl-S does
        lines = LineWriter(writer, lost)
        for line in MORE_THAN_A_PIPE[:50]:
            lines.write(line)
        lines.close(0.1)
        termios.tcflow(writer, termios.TCOON)
        came = b""
        while MORE_THAN_A_PIPE[49] not in came:
            came += reader.read(100_000)
        lines.close(10)
    assert lost.count == 0
