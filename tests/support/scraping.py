"""The metrics of a running server, as a scrape sees them."""

import asyncio
from collections.abc import Mapping

import httpx

KEPT = 1.0  # seconds for which the server answers with the same text; see `canopy.telemetry.exposition`


async def scrape(client: httpx.AsyncClient, headers: Mapping[str, str] | None = None, path: str = "/metrics") -> str:
    """The metrics with everything that has happened until now."""
    await asyncio.sleep(KEPT)  # what somebody else asked for before this call may be answered until then
    return (await client.get(path, headers=headers)).raise_for_status().text


async def scrape_until(client: httpx.AsyncClient, line: str, within: float = 30) -> str:
    """The metrics once they have this in them."""
    async with asyncio.timeout(within):
        while line not in (text := (await client.get("/metrics")).raise_for_status().text):
            await asyncio.sleep(0.05)
    return text
