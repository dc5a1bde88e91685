"""How the workshop's pages reach what they call their backend: `requests`, and streams read line by line."""

import json
import os
from collections.abc import Iterator
from typing import Any

import requests

URL = os.environ["BACKEND_ENDPOINT"]


def flags() -> dict[str, bool]:
    found: dict[str, bool] = requests.get(f"{URL}/feature-flags", timeout=10).json()
    return found


def stream(path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The events of a stream, until `[DONE]`."""
    with requests.post(f"{URL}{path}", json=body, stream=True, timeout=60) as response:
        response.raise_for_status()
        for line in response.iter_lines(decode_unicode=True):
            data = (line or "").removeprefix("data: ")
            if data == "[DONE]":
                return
            try:
                event = json.loads(data)
            except json.JSONDecodeError:  # blank lines, and comments that keep a quiet stream open
                continue
            yield event


def get(path: str, **query: str) -> Any:
    response = requests.get(f"{URL}{path}", params=query, timeout=10)
    response.raise_for_status()
    return response.json()


def post(path: str, body: dict[str, Any]) -> Any:
    response = requests.post(f"{URL}{path}", json=body, timeout=10)
    response.raise_for_status()
    return response.json()
