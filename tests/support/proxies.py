"""What stands in front of Canopy: Debian's HAProxy and nginx, and a proxy that takes every upgrade for a tunnel.

Each removes the header `traceparent` that clients send, as a proxy removes identity headers, so a request with it that
reaches Canopy has passed the proxy unseen.
"""

import asyncio
import os
import platform
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

_FOLDER = Path(__file__).parents[2] / ".cache" / "proxies"

_HAPROXY = """
global
    maxconn 100
defaults
    mode http
    option http-server-close
    timeout connect 5s
    timeout client 5s
    timeout server 20s
    timeout tunnel 20s
frontend front
    bind 127.0.0.1:{port}
    http-request del-header traceparent
    default_backend back
backend back
    http-reuse always
    server canopy {upstream}
"""

_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 100; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream canopy {{ server {upstream}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://canopy;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $http_connection;
            proxy_set_header traceparent "";
        }}
    }}
}}
"""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@asynccontextmanager
async def real_proxy(name: str, upstream: str, folder: Path) -> AsyncGenerator[str]:
    """HAProxy (`haproxy`) or nginx in front of the address; skips the test where Debian's could not be had."""
    program = _FOLDER / "usr" / "sbin" / name
    if not program.exists():
        pytest.skip(f"no {name}: `make install-dev` gets Debian's")
    port = _free_port()
    config = folder / f"{name}.conf"
    template = _HAPROXY if name == "haproxy" else _NGINX
    config.write_text(template.format(port=port, upstream=urlsplit(upstream).netloc, folder=folder))
    arguments = ["-db", "-f"] if name == "haproxy" else ["-p", str(folder), "-e", "stderr", "-c"]
    libraries = _FOLDER / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        str(config),
        env=os.environ | {"LD_LIBRARY_PATH": str(libraries)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(20):
            while True:
                assert process.returncode is None, f"{name} ended with {process.returncode}"
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    await writer.wait_closed()
                    break
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def tunnelling_proxy(upstream: str) -> AsyncGenerator[str]:
    """A proxy that checks one head, and after one with `Upgrade` copies bytes both ways, whatever the answer was."""
    place = urlsplit(upstream)

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):  # one end may be gone before the other
            while content := await source.read(65_536):
                sink.write(content)
                await sink.drain()
        with suppress(OSError):
            sink.write_eof()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n")[:-2] if not line.lower().startswith(b"traceparent:")]
        assert any(line.lower().startswith(b"upgrade:") for line in lines)
        up_reader, up_writer = await asyncio.open_connection(place.hostname, place.port)
        up_writer.write(b"\r\n".join(lines) + b"\r\n\r\n")
        await asyncio.gather(copy(reader, up_writer), copy(up_reader, writer))
        for each in (up_writer, writer):
            each.close()
            with suppress(OSError):
                await each.wait_closed()

    served: set[asyncio.Task[None]] = set()
    server = await asyncio.start_server(
        lambda reader, writer: served.add(asyncio.create_task(serve(reader, writer))), "127.0.0.1", 0
    )
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*served)
