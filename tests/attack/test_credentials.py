"""Passwords in addresses, whole or in part, where the address is malformed too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from canopy.errors import ConfigError
from canopy.evals.backend import checked_url
from canopy.evals.upload import upload
from canopy.flags.source import load_config
from canopy.settings import Settings
from canopy.store import open_store

pytestmark = pytest.mark.own_server

# Upper case, which none of Canopy's own sentences about addresses has in a row with digits and signs between.
PASSWORDS = st.text("QXZJ7498@:/#?%&= ", min_size=8, max_size=20)
EXAMPLES = ("QX7@ZJ49/XQ84", "12/ZJ49@QX74", "123456789", "QX:ZJ@74/98#ZQ", "%ZZQX74JQ", "[QX74ZJ49", "QX74 ZJ49")


def pieces(password: str) -> set[str]:
    """Every four characters of the password that aren't only a sign or two of an address."""
    found = {password[at : at + 4] for at in range(len(password) - 3)}
    return {piece for piece in found if sum(letter.isalnum() for letter in piece) > 2}


def says(address: str) -> str:
    """All that Canopy says of an address wherever it takes one."""
    said = [repr(Settings(store_url=address))]
    try:
        said.append(open_store(address).description)
    except ConfigError as error:
        said.append(error.sentence)
    http = address.replace("postgresql://", "http://")
    try:
        said.append(checked_url(http, "--backend"))
    except ConfigError as error:
        said.append(error.sentence)
    for key in ("LLAMA_STACK_URL: ", "mlflow:\n  enabled: true\n  url: "):
        try:
            load_config(f"{key}'{http}'".encode())
        except ConfigError as error:
            said.append(error.sentence)
    try:
        upload(Path("/nonexistent"), address.replace("postgresql://", "s3://"), "run_1")
    except ConfigError as error:
        said.append(error.sentence)
    return "\n".join(said)


@given(PASSWORDS)
@example(EXAMPLES[0])
@example(EXAMPLES[1])
@example(EXAMPLES[2])
@example(EXAMPLES[3])
@example("@4444/4?")
def test_addresses_with_a_password_in_them(password: str) -> None:
    """No four characters of it are in anything that is said."""
    said = says(f"postgresql://canopy:{password}@db.internal:5432/canopy")
    assert not [piece for piece in pieces(password) if piece in said]


@pytest.mark.parametrize("password", EXAMPLES)
@pytest.mark.parametrize("command", [("serve",), ("export",), ("judge", "run"), ("evals", "run", ".")])
def test_commands_with_such_an_address(tmp_path: Path, command: tuple[str, ...], password: str) -> None:
    """They end with a sentence, without a traceback and without the password."""
    address = f"http://canopy:{password}@127.0.0.1:9/canopy"
    more = ("--backend", address, "--judge", address) if command[0] == "evals" else ()
    environment = os.environ | {"CANOPY_STORE_URL": address.replace("http", "postgresql", 1), "CANOPY_PORT": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "canopy", *command, *more],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert done.returncode
    assert "Traceback" not in said
    assert not [piece for piece in pieces(password) if piece in said]
