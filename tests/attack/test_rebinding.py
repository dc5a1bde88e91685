"""A page of a stranger in a browser on the same machine, whose name its owner lets point to the server."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import async_playwright

from tests.attack.conftest import Target
from tests.http.conftest import values
from tests.support.chromium import launch_options
from tests.support.model_server import FakeModelServer
from tests.support.raw import connection, status_of
from tests.support.server import running_server

pytestmark = pytest.mark.own_server  # an address is anybody's: only the server's own values say that it is open

STRANGERS = ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "EVIL.example.", "localhost.evil.example"]
OWN = ["127.0.0.1", "127.0.0.1:1", "[::1]:8000", "[::ffff:127.0.0.1]", "LOCALHOST:8000", "a.localhost", "canopy"]


async def _ask(url: str, path: str, host: str, method: str = "GET") -> int:
    async with connection(url) as it:
        await it.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return status_of(await it.head())


@pytest.mark.parametrize("host", STRANGERS)
async def test_a_name_that_points_here(target: Target, host: str) -> None:
    """Nothing is read or changed under it; what holds no text is."""
    for method, path in (("GET", "/feedback"), ("GET", "/"), ("GET", "/nothing"), ("DELETE", "/feedback/fb_1")):
        assert await _ask(target.url, path, host, method) == 403
    assert await _ask(target.url, "/readyz", host) == 200


@pytest.mark.parametrize("host", OWN)
async def test_names_that_are_this_machines(target: Target, host: str) -> None:
    assert await _ask(target.url, "/feedback", host) == 200


async def test_a_name_that_the_operator_has_named(model: FakeModelServer, tmp_path: Path) -> None:
    """A proxy on the same machine may pass on the name that it was asked for."""
    env = {"CANOPY_ALLOWED_HOSTS": "Canopy.example.com, other.example.com"}
    async with running_server(tmp_path, values(model), env=env) as server:
        assert await _ask(server.url, "/feedback", "canopy.example.com:80") == 200
        assert await _ask(server.url, "/feedback", "example.com") == 403


async def test_a_page_whose_name_points_here(target: Target) -> None:
    """A real browser, for which the name of a page and this machine are one origin."""
    port = urlsplit(target.url).port
    options = launch_options()
    options["args"] = [*options["args"], "--host-resolver-rules=MAP evil.example 127.0.0.1", "--no-proxy-server"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**options)
        page = await browser.new_page()
        await page.goto(f"http://evil.example:{port}/readyz")
        status = await page.evaluate("async () => (await fetch('/feedback')).status")
        await browser.close()
    assert status == 403
