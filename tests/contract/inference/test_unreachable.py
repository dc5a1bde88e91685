"""Each reason for which there is no connection has a sentence of its own, which says what to change."""

import asyncio
import gc
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from canopy.base.errors import CanopyError, ModelTimeout, ModelUnreachable
from canopy.inference.llama_stack import LlamaStackInference
from canopy.outgoing.causes import Peer, explain
from tests.contract.inference.conftest import read
from tests.contract.inference.test_failures import deaf_port
from tests.support.certificates import certificate, server_context
from tests.support.model_server import FakeModelServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def failure(url: str) -> CanopyError:
    client = LlamaStackInference(url, connect_timeout=2, first_token_timeout=20, token_timeout=20, retries=0)
    with pytest.raises(CanopyError) as caught:
        await read(client, "fake")
    await client.close()
    error = caught.value
    assert error.sentence.endswith(".")
    assert type(error) is ModelTimeout or (type(error) is ModelUnreachable and error.retry_after)
    return error


async def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    async with FakeModelServer(tls=server_context(certificate(tmp_path))) as model:
        error = await failure(model.url)
    assert "not trusted" in error.sentence
    assert "SSL_CERT_FILE" in error.sentence
    assert error.reason
    assert "self-signed certificate" in error.reason.lower().replace("self signed", "self-signed")


@pytest.mark.parametrize(
    ("certified", "until", "part"),
    [
        ("models.example", "20491231000000Z", "for another name"),
        ("127.0.0.1", "20240102000000Z", "not valid at this time"),
    ],
)
async def test_a_certificate_of_a_trusted_authority_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certified: str, until: str, part: str
) -> None:
    file = certificate(tmp_path, name=certified, until=until)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with FakeModelServer(tls=server_context(file)) as model:
        error = await failure(model.url)
    assert part in error.sentence


async def test_a_certificate_that_is_vouched_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with FakeModelServer(tls=server_context(file)) as model:
        client = LlamaStackInference(model.url, connect_timeout=2, first_token_timeout=20, token_timeout=20, retries=0)
        await read(client, "fake")
        await client.close()


async def test_tls_where_there_is_none() -> None:
    async with proxy(b"HTTP/1.1 400 Bad Request\r\n\r\n", after=1) as address:
        error = await failure(address.replace("http://", "https://"))
    assert "begin `LLAMA_STACK_URL` with http://" in error.sentence


async def test_a_proxy_whose_address_promises_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy(b"HTTP/1.1 400 Bad Request\r\n\r\n", after=1) as address:
        monkeypatch.setenv("HTTP_PROXY", address.replace("http://", "https://"))
        error = await failure("http://models.example:8321")
    assert "proxy before the model server speaks no TLS" in error.sentence
    assert "`LLAMA_STACK_URL`" not in error.sentence


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_proxy_that_takes_connections_and_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(3)
        await tried.wait()
        writer.close()

    tried = asyncio.Event()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        client = LlamaStackInference(
            "http://models.example:8321", connect_timeout=2, first_token_timeout=0.5, token_timeout=20, retries=0
        )
        with pytest.raises(ModelTimeout, match="nor the proxy before it answered"):
            await read(client, "fake")
        tried.set()
        await client.close()
    gc.collect()  # to which httpcore leaves the connection to a SOCKS proxy that it gave up


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]"), "want a certificate of its clients"),
        (ssl.SSLError(1, "[SSL: TLSV1_ALERT_PROTOCOL_VERSION]"), "speak TLS 1.2 or 1.3"),
        (ssl.SSLError(1, "[SSL: UNSUPPORTED_PROTOCOL]"), "speak TLS 1.2 or 1.3"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), "begin `URL` with http://"),
        (ssl.SSLError(1, "[SSL: EE_KEY_TOO_SMALL]"), "too weak"),
        (ssl.SSLError(1, "[SSL: DECRYPTION_FAILED]"), "TLS settings"),
        (ssl.SSLCertVerificationError(1, "EE certificate key too weak"), "2048 bits"),
    ],
)
async def test_tls_that_fails_is_told_with_what_to_change(error: ssl.SSLError, part: str) -> None:
    """By what OpenSSL names it, which the standard library takes from its own errors alone."""
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_code = 66
    else:
        error.reason = error.args[1].removeprefix("[SSL: ").rstrip("]")
    assert part in explain(error, Peer("the server", "`URL`"), "https://models.example")


async def test_no_tls_where_there_is_some(tmp_path: Path) -> None:
    async with FakeModelServer(tls=server_context(certificate(tmp_path))) as model:
        error = await failure(model.url.replace("https://", "http://"))
    assert "http:// and https://" in error.sentence


async def test_a_closed_port(unused_tcp_port: int) -> None:
    error = await failure(f"http://127.0.0.1:{unused_tcp_port}")
    assert "Nothing listens" in error.sentence
    assert "port in `LLAMA_STACK_URL`" in error.sentence
    assert str(unused_tcp_port) in str(error.reason)


async def test_a_name_that_nobody_knows() -> None:
    error = await failure("http://models.nowhere.invalid:8321")
    assert "name of the model server's host is not known" in error.sentence
    assert "models.nowhere.invalid" in str(error.reason)


async def test_a_port_that_accepts_nobody() -> None:
    with deaf_port() as port:
        error = await failure(f"http://127.0.0.1:{port}")
    assert type(error) is ModelTimeout
    assert "did not accept a connection in time" in error.sentence
    assert "NetworkPolicies" in error.sentence


@asynccontextmanager
async def proxy(answer: bytes, after: int = 0) -> AsyncGenerator[str]:
    """A server or proxy that answers every request alike, after so many bytes or behind its head."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (reader.readexactly(after) if after else reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_tcp_port}")
    error = await failure("http://models.example:8321")
    assert "proxy before the model server" in error.sentence
    assert "NO_PROXY" in error.sentence


async def test_a_proxy_that_lets_nobody_through(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as address:
        monkeypatch.setenv("HTTPS_PROXY", address)
        error = await failure("https://models.example:8321")
    assert "proxy before the model server" in error.sentence
    assert "NO_PROXY" in error.sentence
