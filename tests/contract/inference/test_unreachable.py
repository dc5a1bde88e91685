"""Each reason for which there is no connection has a sentence of its own, which says what to change."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from canopy.errors import CanopyError, ModelTimeout, ModelUnreachable
from canopy.inference.llama_stack import LlamaStackInference
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
