"""The embedded model: really there, really small, and never in the way."""

import asyncio
import logging
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
import pytest_asyncio

from canopy.base.errors import ConfigError, ModelError, ModelUnreachable, PromptTooLong
from canopy.base.settings import Settings
from canopy.inference import embedded
from canopy.inference.opening import open_inference
from canopy.inference.protocol import Completed, Inference
from tests.contract.inference.conftest import read, request, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEY = "known-to-these-tests"

PARENT = """
import asyncio
from canopy.inference.opening import open_inference
from canopy.base.settings import Settings

async def main():
    inference = open_inference(None, Settings())
    await inference.start()
    print(inference.description, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def small_model() -> AsyncGenerator[Inference]:
    inference = open_inference(None, Settings())
    with mock.patch("canopy.inference.embedded.token_urlsafe", return_value=KEY):
        await inference.start()
        yield inference
        await inference.close()


def url_in(description: str) -> str:
    return next(word.strip(",") for word in description.split() if word.startswith("http://127.0.0.1:"))


async def test_only_who_has_the_key_of_this_run_may_ask(small_model: Inference) -> None:
    """Such as no page of a stranger in a browser on this machine has, and no other account."""
    async with httpx.AsyncClient(base_url=url_in(small_model.description), timeout=30) as stranger:
        for key in ("", "no-key", "none"):
            headers = {"Origin": "http://elsewhere.example", **({"Authorization": f"Bearer {key}"} if key else {})}
            asked = await stranger.post(
                "/v1/chat/completions", json={"messages": [{"role": "user", "content": "Hi"}]}, headers=headers
            )
            assert asked.status_code == 401
            for path in ("/slots", "/props", "/metrics"):
                assert (await stranger.get(path, headers=headers)).status_code in {401, 403, 404, 501}


def server_process(inference: Inference) -> psutil.Process:
    """The child that serves this model; another test's may live beside it."""
    port = urlsplit(url_in(inference.description)).port
    children = psutil.Process().children()
    (process,) = (
        it for it in children if any(port == where.laddr.port for where in it.net_connections() if where.laddr)
    )
    return process


def listens(url: str) -> bool:
    address = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((address.hostname, address.port)) == 0


async def test_it_answers(small_model: Inference) -> None:
    texts, completed = await read(small_model, "llama32", max_tokens=10)
    assert "".join(texts).strip()
    assert completed.model == "smollm2-135m-instruct"
    assert completed.input_tokens
    assert completed.output_tokens


async def test_it_answers_under_its_own_name_and_says_what_it_is_for(small_model: Inference) -> None:
    assert small_model.model_name("llama32") == "smollm2-135m-instruct"
    assert "for trying and for tests" in small_model.description
    assert "LLAMA_STACK_URL" in small_model.description


async def test_a_text_beyond_its_context_is_too_long(small_model: Inference) -> None:
    with pytest.raises(PromptTooLong):
        async for _ in small_model.stream(request("llama32", "cat " * 9000)):
            pass


async def test_closing_a_stream_ends_its_generation(small_model: Inference) -> None:
    async def busy(http: httpx.AsyncClient) -> bool:
        return any(slot["is_processing"] for slot in (await http.get("/slots")).json())

    async with httpx.AsyncClient(
        base_url=url_in(small_model.description), headers={"Authorization": f"Bearer {KEY}"}
    ) as http:
        stream = small_model.stream(request("llama32", "Count from one to one thousand, and leave nothing out."))
        await anext(stream)
        assert await busy(http)
        await stream.aclose()
        async with asyncio.timeout(10):
            while await busy(http):
                await asyncio.sleep(0.02)


async def test_signals_for_the_process_group_leave_open_streams_alone(small_model: Inference) -> None:
    stream = small_model.stream(request("llama32", "Tell me a story about a canopy.", max_tokens=20))
    items = [await anext(stream)]
    for number in (signal.SIGTERM, signal.SIGINT):
        server_process(small_model).send_signal(number)
    items += [item async for item in stream]
    assert isinstance(items[-1], Completed)


async def test_a_crash_fails_the_open_stream_and_the_next_ones_until_it_is_back(
    small_model: Inference, caplog: pytest.LogCaptureFixture
) -> None:
    stream = small_model.stream(request("llama32", "Tell me a story about a canopy.", max_tokens=20))
    await anext(stream)
    crashed = server_process(small_model)
    crashed.kill()
    with pytest.raises(ModelError):
        async for _ in stream:
            pass
    await until(lambda: bool(caplog.records), within=30)
    with pytest.raises(ModelUnreachable) as caught:
        await read(small_model, "llama32", max_tokens=10)
    assert caught.value.retry_after
    await until(lambda: "http" in small_model.description, within=30)
    await read(small_model, "llama32", max_tokens=10)
    assert server_process(small_model).pid != crashed.pid
    assert caplog.records[0].levelno == logging.WARNING


async def test_closing_ends_the_process() -> None:
    inference = open_inference(None, Settings())
    await inference.start()
    url = url_in(inference.description)
    assert listens(url)
    await inference.close()
    assert not listens(url)


async def test_it_does_not_outlive_a_parent_that_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=PIPE)
    assert parent.stdout is not None
    url = url_in((await parent.stdout.readline()).decode())
    assert listens(url)
    parent.kill()
    await parent.wait()
    await until(lambda: not listens(url))


async def test_it_writes_nothing_to_the_output_of_its_parent() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=PIPE, stderr=PIPE)
    assert parent.stdout is not None
    first = await parent.stdout.readline()
    parent.kill()
    rest, errors = await parent.communicate()
    assert first.startswith(b"the embedded model")
    assert (rest, errors) == (b"", b"")


async def test_without_its_packages_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"`make install`.*LLAMA_STACK_URL"):
        await open_inference(None, Settings()).start()


async def test_a_server_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "model.gguf"
    broken.write_bytes(b"no model")
    monkeypatch.setattr(embedded, "_model_file", lambda: broken)
    with pytest.raises(ConfigError, match=r"does not start.*model\.gguf"):
        await open_inference(None, Settings()).start()


async def test_an_address_means_no_embedded_model() -> None:
    assert (
        open_inference("http://localhost:8321", Settings()).description == "the model server at http://localhost:8321"
    )
