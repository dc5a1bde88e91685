"""The least that a server can do, under the same uvicorn settings as Canopy: what the ratios are measured against.

`votes` takes a body and answers. `relay MODEL_URL` asks the model and hands its tokens on, one event each. Neither has
a framework, checks anything, or keeps, logs or counts anything. The event loop is Canopy's unless uvloop is asked for.
"""

import sys
from typing import Any

import aiohttp
import orjson
import uvicorn
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

_JSON: list[tuple[bytes, bytes]] = [(b"content-type", b"application/json")]
_EVENTS: list[tuple[bytes, bytes]] = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
_ANSWER = orjson.dumps({"status": "ok", "feedback_id": "fb_" + 32 * "0"})


async def votes(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Read the body, answer as Canopy does."""
    del scope
    await _body(receive)
    headers = [*_JSON, (b"content-length", str(len(_ANSWER)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": _ANSWER, "more_body": False})


class Relay:
    """Lines from `aiohttp` in, events out."""

    def __init__(self, model_url: str) -> None:
        self._url = f"{model_url}/v1/chat/completions"
        self._client: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer a prompt with the model's tokens."""
        if scope["type"] == "http" and scope["method"] == "GET":
            await votes(scope, receive, send)
            return
        if self._client is None:
            self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        question = orjson.loads(await _body(receive))
        request = {
            "model": question["model"],
            "messages": [{"role": "user", "content": question["prompt"]}],
            "stream": True,
        }
        await send({"type": "http.response.start", "status": 200, "headers": _EVENTS, "trailers": False})
        async with self._client.post(self._url, json=request) as reply:
            async for line in reply.content:
                if line.startswith(b"data: {"):
                    choices: list[Any] = orjson.loads(line[6:])["choices"]
                    if choices and (text := choices[0]["delta"].get("content")):
                        event = b"data: " + orjson.dumps({"delta": text}) + b"\n\n"
                        await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False})


async def _body(receive: ASGIReceiveCallable) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(chunks)
        chunks.append(message["body"])
        if not message["more_body"]:
            return b"".join(chunks)


def main() -> None:
    """`votes LOOP PORT` or `relay LOOP PORT MODEL_URL`; LOOP is `asyncio` or `uvloop`."""
    name, loop, port, *more = sys.argv[1:]
    app: ASGI3Application = Relay(*more) if name == "relay" else votes
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(port),
        loop=loop,
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="off",
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
