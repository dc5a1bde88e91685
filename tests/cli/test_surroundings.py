"""What machines tell every program of proxies and certificates, and what the commands make of it."""

import os
from pathlib import Path

import httpx
import pytest

from tests.support.commands import run_canopy
from tests.support.server import running_server

# As desktops, corporate machines and clusters set them; nothing listens at these ports.
PROXIES = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "https_proxy": "127.0.0.1:9",
    "ALL_PROXY": "socks://127.0.0.1:9/",
    "NO_PROXY": "fd00::/8,10.0.0.0/8,.svc,.cluster.local",
}

AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSLKEYLOGFILE")


async def test_the_embedded_model_answers_on_a_machine_with_proxies(tmp_path: Path) -> None:
    """As `make run` starts it."""
    async with running_server(tmp_path, env=PROXIES, within=60) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False) as http:
            answer = await http.post("/summarize", json={"prompt": "It rains. It pours.", "stream": False})
        assert await server.stop() == 0
    assert answer.status_code == 200, answer.text
    assert server.errors == b""


@pytest.mark.parametrize("variable", AUTHORITIES)
@pytest.mark.parametrize(
    "command", [("serve",), ("judge", "run"), ("evals", "run", ".", "--backend", "http://127.0.0.1:9")]
)
def test_certificates_that_are_not_there(tmp_path: Path, command: tuple[str, ...], variable: str) -> None:
    """Every command ends with a sentence that names the variable, and the server before it listens."""
    place = str(tmp_path / "missing" / "ca.pem")
    others = {name: value for name, value in os.environ.items() if name not in AUTHORITIES}
    done = run_canopy(*command, cwd=tmp_path, env=others | {variable: place, "CANOPY_PORT": "0"})
    assert done.returncode
    assert done.stderr.startswith(f"Error: {variable} names {place}")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
