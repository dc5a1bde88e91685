"""Errors tell an attacker nothing."""

import pytest

from tests.attack.conftest import Target

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    "path", ["/nothing", "/feedback/../nothing", "/%2e%2e/etc/passwd", "/ui/1/..%2f..%2fvalues.py"]
)
async def test_guessing_addresses(target: Target, path: str) -> None:
    """No error names a file, a line or a library."""
    async with target.client() as client:
        answer = await client.get(path)
    assert answer.status_code in {401, 403, 404}
    assert not any(word in answer.text for word in ("Traceback", "site-packages", ".py", "starlette", "uvicorn"))
    assert "server" not in answer.headers
