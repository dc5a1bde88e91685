"""Synthetic people: they read, prefer, vote and complain as browsers do, and don't know which prompt wrote what."""

from collections.abc import Callable
from typing import Any

import httpx

type Taste = Callable[[str], float]
"""How much somebody likes a response."""


def client(url: str) -> httpx.AsyncClient:
    """Connections to a server on this machine, past any proxy that the environment names."""
    return httpx.AsyncClient(base_url=url, timeout=120, trust_env=False, headers={"accept": "application/json"})


async def choose(http: httpx.AsyncClient, person: int, text: str, taste: Taste, *, contrary: bool = False) -> None:
    """A person reads both answers to a text and prefers the one to their taste; a contrary person the other one."""
    session = {"session_id": f"00000000-0000-4000-8000-{person:012}"}
    shown = await _sent(http, "/summarize/ab", {"prompt": text, "stream": False, **session})
    best = (min if contrary else max)("ab", key=lambda side: taste(shown[side]["response"]))
    await _sent(http, "/feedback/ab", {"comparison_id": shown["comparison_id"], "preference": best, **session})


async def ask(http: httpx.AsyncClient, text: str) -> dict[str, Any]:
    """A person reads one answer; gives what the server sent of it."""
    return await _sent(http, "/summarize", {"prompt": text, "stream": False})


async def prompt_in_force(http: httpx.AsyncClient) -> str:
    """The id of the prompt that answers everybody."""
    found = (await http.get("/feature-flags", params={"details": "true"})).raise_for_status().json()
    its: str = found["features"]["summarize"]["prompt_id"]
    return its


async def rate(http: httpx.AsyncClient, text: str, happy: Callable[[str], bool], **complaint: Any) -> None:
    """A person reads one answer and votes on it, with the complaint where it isn't to their taste."""
    answer = await ask(http, text)
    pleased = happy(answer["response"])
    vote = {"generation_id": answer["generation_id"], "rating": "thumbs_up" if pleased else "thumbs_down"}
    await _sent(http, "/feedback", vote | ({} if pleased else complaint))


async def satisfaction(http: httpx.AsyncClient) -> dict[str, tuple[float, int]]:
    """Of each prompt by its id: the share of votes that are good, and how many there are."""
    found = (await http.get("/feedback/stats")).raise_for_status().json()["by_prompt"]
    return {it["prompt_id"]: (it["satisfaction"], it["total"]) for it in found}


async def experiment(http: httpx.AsyncClient) -> dict[str, Any]:
    """What the server says of the experiment that its values mean."""
    found: dict[str, Any] = (await http.get("/experiments/current", params={"feature": "summarize"})).json()
    return found


async def _sent(http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await http.post(path, json=body)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found
