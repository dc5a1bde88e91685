"""Every client of Canopy, through real proxies and against a server whose certificate a private authority signed."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest

from canopy.base.errors import CanopyError, ConfigError, PublishError
from canopy.evals.publish.mlflow_run import log_to_mlflow
from canopy.evals.publish.object_storage import upload
from canopy.evals.results import Run
from canopy.evals.run.backend import Backend
from canopy.evals.suites.review import known_texts
from canopy.inference.llama_stack import LlamaStackInference
from canopy.mlflow.assessments import AssessmentClient
from canopy.mlflow.exporter import MlflowExporter
from canopy.mlflow.failures import MlflowError
from canopy.outgoing import certificates
from canopy.outgoing.clients import client
from canopy.outgoing.collector import collector_session
from tests.contract.inference.conftest import read
from tests.contract.inference.test_unreachable import proxy as answering
from tests.support.certificates import certificate, server_context
from tests.support.forward_proxy import ForwardProxy, forward_proxy
from tests.support.model_server import FakeModelServer

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSLKEYLOGFILE")


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, *map(str.lower, VARIABLES), *AUTHORITIES):
        monkeypatch.delenv(name, raising=False)


async def ask_model(url: str) -> None:
    inference = LlamaStackInference(url, connect_timeout=10, first_token_timeout=30, token_timeout=30, retries=0)
    try:
        await read(inference, "fake")
    finally:
        await inference.close()


async def ask_mlflow(url: str) -> None:
    mlflow = AssessmentClient(url, {"Authorization": "Bearer token"})
    with pytest.raises(MlflowError) as caught:
        await mlflow.delete("tr-1", "fb_1")
    await mlflow.close()
    problem = str(caught.value)
    if "is not MLflow" not in problem:  # what it says of the model server, which answers there
        raise ConfigError(problem)


async def export_to_mlflow(url: str) -> None:
    lost: list[str] = []
    exporter = MlflowExporter(url, "Default", {}, lambda _, problem: lost.append(problem))
    exporter.stop_retrying()
    await asyncio.to_thread(exporter.export, [])
    exporter.shutdown()
    if "status 404" not in lost[0] and "is not MLflow" not in lost[0]:
        raise ConfigError(lost[0])


async def ask_backend(url: str) -> None:
    async with Backend(url, token=None, timeout=30, retries=0) as backend:
        await backend.target()


async def review_with_backend(url: str) -> None:
    def ask() -> None:
        with client(url, token=None, timeout=30) as http:
            known_texts(http)

    with pytest.raises(ConfigError, match="status 404"):
        await asyncio.to_thread(ask)


async def export_spans(url: str) -> None:
    with collector_session() as session:
        answer = await asyncio.to_thread(session.post, f"{url}/v1/traces", b"", timeout=30, verify=True)
    assert answer.status_code == 404  # the model server's own


CLIENTS: dict[str, Callable[[str], Awaitable[None]]] = {
    "the model server": ask_model,
    "assessments": ask_mlflow,
    "traces for MLflow": export_to_mlflow,
    "the backend under test": ask_backend,
    "the review": review_with_backend,
    "traces": export_spans,
}


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key and the certificate of `server.example`, which no public authority signed."""
    return certificate(tmp_path_factory.mktemp("private"), name="server.example")


@pytest.fixture
async def model() -> AsyncGenerator[FakeModelServer]:
    async with FakeModelServer() as server:
        yield server


@pytest.fixture
async def proxy(model: FakeModelServer) -> AsyncGenerator[ForwardProxy]:
    async with forward_proxy(model.url) as running:
        yield running


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_proxy_is_asked_for_what_is_elsewhere_and_never_for_this_machine(
    name: str, model: FakeModelServer, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("NO_PROXY", "fd00::/8,10.0.0.0/8,.svc")
    await CLIENTS[name](model.url)
    assert proxy.asked == []
    await CLIENTS[name]("http://server.example:8321")
    assert {host for _, host in proxy.asked} == {"server.example:8321"}


@pytest.mark.parametrize("name", [name for name in CLIENTS if name != "traces"])
async def test_a_proxy_of_socks(
    name: str, model: FakeModelServer, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks://{proxy.place}/")  # as desktops write it
    await CLIENTS[name](model.url)
    assert proxy.asked == []
    await CLIENTS[name]("http://server.example:8321")
    assert set(proxy.asked) == {("SOCKS", "server.example:8321")}


async def test_spans_say_that_they_cannot_go_through_socks(
    proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://{proxy.place}")
    with pytest.raises(OSError, match=r"SOCKS.*NO_PROXY"):
        await export_spans("http://otel.example:4318")
    assert proxy.asked == []


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("name", CLIENTS)
async def test_a_private_authority_is_trusted_where_a_variable_names_it(
    name: str, variable: str, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeModelServer(tls=server_context(private)) as model, forward_proxy(model.url) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv(variable, str(private))
        await CLIENTS[name]("https://server.example:8443")
    assert set(proxy.asked) == {("CONNECT", "server.example:8443")}


@pytest.mark.parametrize("name", ["assessments", "traces for MLflow", "the backend under test", "the model server"])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://127.0.0.1:{tls}", "certificate is not trusted"),
        ("https://127.0.0.1:{plain}", "speaks no TLS"),
        ("http://server.invalid:8321", "is not known here"),
        ("http://127.0.0.1:{closed}", "Nothing listens"),
    ],
)
async def test_each_client_names_the_cause(name: str, url: str, said: str, private: Path, unused_tcp_port: int) -> None:
    plain = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n", after=1)
    async with FakeModelServer(tls=server_context(private)) as secured, plain as open_to_all:
        ports = {"tls": secured.url, "plain": open_to_all}
        address = url.format(closed=unused_tcp_port, **{key: it.rpartition(":")[2] for key, it in ports.items()})
        with pytest.raises(CanopyError) as caught:
            await CLIENTS[name](address)
    assert said in caught.value.sentence


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("name", ["assessments", "traces for MLflow", "the backend under test", "the model server"])
async def test_a_proxy_that_is_not_there_is_told_apart_from_the_server(
    name: str, scheme: str, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(CanopyError) as caught:
        await CLIENTS[name]("http://server.example:8321")
    assert "The proxy before" in caught.value.sentence
    assert "ALL_PROXY" in caught.value.sentence


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to upload, with keys for a storage."""
    (tmp_path / "report.html").write_text("<!doctype html>")
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    return tmp_path


STORED = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_uploads_to_this_machine_pass_proxies_by(
    kind: str, report: Path, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{kind}://{proxy.place}")
    async with answering(STORED) as storage:
        monkeypatch.setenv("AWS_ENDPOINT_URL", storage)
        await asyncio.to_thread(upload, report, "s3://reports", "run")
    assert proxy.asked == []


async def test_uploads_elsewhere_go_through_a_proxy(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://storage.example:9000")
    async with answering(STORED) as storage, forward_proxy(storage) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        await asyncio.to_thread(upload, report, "s3://reports", "run")
        monkeypatch.setenv("ALL_PROXY", f"socks5://{proxy.place}")
        with pytest.raises(PublishError, match=r"SOCKS.*NO_PROXY"):
            await asyncio.to_thread(upload, report, "s3://reports", "run")
    assert proxy.asked == [("PUT", "storage.example:9000")]


def unreadable(kind: str, folder: Path) -> Path:
    place = folder / "place"
    match kind:
        case "folder":
            place.mkdir()
        case "empty":
            place.touch()
        case "text":
            place.write_text("no certificate\n")
        case "binary":
            place.write_bytes(bytes(range(256)))
    return place


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "binary"])
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_authorities_that_cannot_be_read(
    variable: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(unreadable(kind, tmp_path)))
    with pytest.raises(ConfigError) as caught:
        certificates.tls_context()
    assert caught.value.sentence.startswith(f"{variable} names {tmp_path / 'place'}, but ")
    assert caught.value.sentence.endswith("or unset it.")


def test_a_log_of_keys_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "missing" / "keys"))
    with pytest.raises(ConfigError, match="SSLKEYLOGFILE"):
        certificates.tls_context()


def test_publishing_through_a_proxy_that_is_not_there(
    unused_tcp_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{unused_tcp_port}")
    run: Run = Run.__new__(Run)  # nothing of it is asked for before the server is
    with pytest.raises(PublishError, match="The proxy before MLflow"):
        log_to_mlflow(
            run, tmp_path, url="http://mlflow.example:5000", experiment="x", headers={"Authorization": "Bearer t"}
        )
