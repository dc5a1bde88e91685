"""Passwords in addresses, whole or in part, where the address is malformed too."""

import json
import logging
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import httpx
import pytest
import requests
import urllib3
import yarl
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from sqlalchemy import make_url

from canopy.base.errors import ConfigError
from canopy.base.settings import Settings
from canopy.config.loading import load_config
from canopy.evals.publish.object_storage import upload
from canopy.evals.run.backend import checked_url
from canopy.store.opening import open_store
from canopy.telemetry import Logs
from canopy.text import addresses
from canopy.text.addresses import keep_secret, without_credentials
from tests.support.commands import run_canopy

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
    said = [repr(Settings(store_url=SecretStr(address)))]
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
@example("4444%844")
def test_addresses_with_a_password_in_them(password: str) -> None:
    """No four characters of it are in anything that is said."""
    said = says(f"postgresql://canopy:{password}@db.internal:5432/canopy")
    assert not [piece for piece in pieces(password) if piece in said]


@pytest.mark.parametrize("password", EXAMPLES)
@pytest.mark.parametrize(
    "command", [("serve",), ("export",), ("judge", "run"), ("evals", "run", "."), ("check-values", "values.yaml")]
)
def test_commands_with_such_an_address(tmp_path: Path, command: tuple[str, ...], password: str) -> None:
    """They end with a sentence, without a traceback and without the password."""
    address = f"http://canopy:{password}@127.0.0.1:9/canopy"
    more = ("--backend", address, "--judge", address) if command[0] == "evals" else ()
    quoted = json.dumps(address)
    (tmp_path / "values.yaml").write_text(f"LLAMA_STACK_URL: {quoted}\nmlflow: {{url: {quoted}}}")
    environment = os.environ | {"CANOPY_STORE_URL": address.replace("http", "postgresql", 1), "CANOPY_PORT": "0"}
    done = run_canopy(*command, *more, cwd=tmp_path, env=environment)
    said = done.stdout + done.stderr
    assert done.returncode
    assert "Traceback" not in said
    assert not [piece for piece in pieces(password) if piece in said]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://canopy:{}@127.0.0.1:9/canopy",
        "postgresql://canopy@127.0.0.1:9/canopy?password={}",
        "postgresql://canopy@127.0.0.1:9/canopy?sslpassword={}&sslkey=/none",
        "postgresql://canopy@127.0.0.1:9/canopy?pasword={}",
        "postgresql://127.0.0.1:9/canopy?options={}",
    ],
)
@pytest.mark.parametrize("command", [("serve",), ("export",)])
def test_a_database_that_does_not_answer(tmp_path: Path, command: tuple[str, ...], url: str) -> None:
    """What psycopg and SQLAlchemy say of a connection that fails reaches neither people nor the log with it."""
    password = "QX74ZJ49XQ84"
    environment = os.environ | {"CANOPY_STORE_URL": url.format(password), "CANOPY_PORT": "0"}
    done = run_canopy(*command, cwd=tmp_path, env=environment | {"CANOPY_LOG_LEVEL": "debug"})
    said = done.stdout + done.stderr
    assert done.returncode
    assert said
    assert not [piece for piece in pieces(password) if piece in said]


@given(PASSWORDS, st.sampled_from(["{}", "Failed to parse: {}", "bad '{}' here", "HTTPPool(host='x'): url: {} (of x)"]))
def test_what_libraries_log_of_addresses(password: str, sentence: str) -> None:
    """Their messages and their errors, such as those of OpenTelemetry's exporter on its endpoint."""
    stream = BytesIO()
    try:
        raise ValueError(sentence.format(f"https://canopy:{password}@otel.internal:4318/v1"))
    except ValueError as error:
        message = sentence.format(f"http://canopy:{password}@otel.internal:4318/v1")
        record = logging.LogRecord("x", logging.ERROR, "x", 1, message, None, (ValueError, error, None))
    with mock.patch.object(addresses, "_known", set()):  # what other tests of this process keep secret isn't of it
        Logs(stream=stream).emit_record(record)
    said = stream.getvalue().decode()
    assert "otel.internal:4318" in said
    assert not [piece for piece in pieces(password) if piece in said]


@contextmanager
def told(address: str) -> Iterator[None]:
    """As in a process whose environment has the address, and no other."""
    with mock.patch.object(addresses, "_known", set()):
        keep_secret(address)
        yield


LIBRARIES = (
    str,
    repr,
    lambda address: urlsplit(address).port,
    lambda address: httpx.URL(address).host,
    httpx.Proxy,
    yarl.URL,
    urllib3.util.parse_url,
    lambda address: requests.Request("GET", address).prepare().url,
    lambda address: requests.Session().get_adapter(address),
    conninfo_to_dict,
    lambda address: make_url(address).host,
)
FORMS = (
    "http://canopy:{}@otel.internal:4318/v1",
    "postgresql://canopy:{}@db.internal/canopy",
    "http:/canopy:{}@otel.internal",
    "//canopy:{}@otel.internal:4318",
    "canopy:{}@otel.internal:4318",
    "http://:{}@otel.internal",
)
ANY = st.text(st.characters(exclude_characters="\0…", exclude_categories=["Cs"]), min_size=4, max_size=24)


@given(PASSWORDS | ANY, st.sampled_from(FORMS))
@example(EXAMPLES[0], FORMS[0])
@example(EXAMPLES[5], FORMS[0])
@example(EXAMPLES[1], FORMS[4])
@example("/44444:=", FORMS[4])
@example("//QX7:4ZJ49", FORMS[4])
def test_what_any_library_says_of_an_address_that_the_process_was_told(password: str, form: str) -> None:
    """Whatever the password is, and whatever part of it the library takes for a host, a port or a path."""
    address = form.format(password)
    said = []
    for library in LIBRARIES:
        try:
            said.append(f"{library(address)}")
        except Exception as error:  # noqa: BLE001 - what it says is the point, whichever it is
            said.append("".join(traceback.format_exception(error)))
    with told(address):
        clean = without_credentials("\n".join(said))
    left = [password[at : at + 4] for at in range(len(password) - 3)]
    assert not [piece for piece in left if piece in clean and any(map(str.isalnum, piece))]


@pytest.mark.parametrize("password", ["QX74ZJ49/XQ@84", "12345/QX74ZJ49", "QX74?ZJ49", "QX74#ZJ49", "QX74ZJ49"])
@pytest.mark.parametrize("form", ["http://{}@otel.internal:4318", "{}@otel.internal:4318", "http:/{}@otel.internal"])
@pytest.mark.parametrize("session", ["the SDK's", "Canopy's"])
def test_what_the_exporter_of_spans_logs_of_a_malformed_address(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, session: str, form: str, password: str
) -> None:
    """OpenTelemetry's own exporter says it; the log has it without the password, as has what the session raises."""
    if session == "Canopy's":
        monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER", "canopy")
    monkeypatch.setattr("socket.getaddrinfo", mock.Mock(side_effect=OSError("no such name")))
    endpoint = f"{form.format(f'canopy:{password}')}/v1/traces"
    exporter = OTLPSpanExporter(endpoint, timeout=0.2)
    exporter.export([])
    exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK's own omission
    assert caplog.records
    stream = BytesIO()
    with told(endpoint):
        for record in caplog.records:
            Logs(stream=stream).emit_record(record)
    said = stream.getvalue().decode()
    assert "Failed to export" in said
    assert not [piece for piece in pieces(password) if piece in said]


def test_what_canopys_session_says_of_a_malformed_address(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A sentence that names the variable, before anything has cleaned it."""
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER", "canopy")
    exporter = OTLPSpanExporter("http://canopy:QX74ZJ49/XQ84@otel.internal:4318/v1/traces", timeout=0.2)
    exporter.export([])
    exporter.shutdown()  # type: ignore[no-untyped-call]  # as above
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in caplog.text
    assert not [piece for piece in pieces("QX74ZJ49/XQ84") if piece in caplog.text]


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        ("HTTPS_PROXY", "http://canopy:QX74ZJ49/XQ84@127.0.0.1:9"),
        ("http_proxy", "canopy:12345/QX74ZJ49XQ84@127.0.0.1:9"),
        ("ALL_PROXY", "http://canopy:QX74ZJ49?XQ84@127.0.0.1:9"),
    ],
)
@pytest.mark.parametrize(
    "command", [("serve",), ("export",), ("judge", "run"), ("evals", "run", ".", "--backend", "http://127.0.0.1:9")]
)
def test_a_malformed_address_of_a_proxy(tmp_path: Path, command: tuple[str, ...], variable: str, address: str) -> None:
    """Every command ends with a sentence that names the variable, and the server before it listens."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = run_canopy(*command, cwd=tmp_path, env=environment | {variable: address, "CANOPY_PORT": "0"})
    said = done.stdout + done.stderr
    assert done.returncode
    assert variable.upper() in said
    assert "Traceback" not in said
    assert "canopy_started" not in said
    assert not [piece for piece in pieces("QX74ZJ49XQ84") if piece in said]


def test_what_libraries_log_of_queries() -> None:
    stream = BytesIO()
    message = "Max retries exceeded with url: /v1/traces?token=QX74ZJ49 (Caused by http://otel/?QX74ZJ49)"
    Logs(stream=stream).emit_record(logging.LogRecord("x", logging.ERROR, "x", 1, message, None, None))
    assert "QX74" not in stream.getvalue().decode()
    assert b"/v1/traces?" in stream.getvalue()


def test_settings_that_are_shown() -> None:
    """Whole, as text, as JSON and as what a debugger shows."""
    settings = Settings(store_url=SecretStr("postgresql://canopy:QX74ZJ49@db/canopy"))
    said = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {vars(settings)}"
    assert "QX74" not in said
