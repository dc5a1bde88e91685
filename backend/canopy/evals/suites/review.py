"""Walks through the cases of a suite that await review: what comes next, what is known of it, and saving the result."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from canopy.base.atomic_files import replace_file
from canopy.base.errors import ConfigError
from canopy.evals.suites.editing import EditableSuite
from canopy.outgoing.bodies import json_of
from canopy.outgoing.causes import Peer, explain, redirection

_PAGE = 50


@dataclass(frozen=True, slots=True)
class ReviewedAnswer:
    """Holds a response that somebody rated badly, and why."""

    text: str
    rating: str
    reasons: Sequence[str]
    comment: str | None


@dataclass(slots=True)
class KnownText:
    """Holds what the backend knows of a text that was badly answered."""

    items: list[str] = field(default_factory=list)  # its names in the backend's queue: one for each feature
    answers: list[ReviewedAnswer] = field(default_factory=list)
    suggestions: list[str] = field(default_factory=list)  # what voters say a good answer would be


@dataclass(slots=True)
class ReviewSession:
    """Walks through the cases that awaited review when it began; `position` may be past the last one."""

    path: Path
    prompts: Sequence[str]
    position: int = 0
    written: dict[str, str] = field(default_factory=dict)  # prompt → expected result, in this session

    @classmethod
    def begin(cls, path: Path) -> "ReviewSession":
        """Find the cases to review. Raises ConfigError for a file that is no suite."""
        # Cases without a prompt are placeholders.
        cases = [case for case in EditableSuite.read(path).cases if case.prompt.strip()]
        return cls(path, list(dict.fromkeys(case.prompt for case in cases if case.awaits_review)))

    @property
    def prompt(self) -> str | None:
        """Return the current prompt; None past the last one."""
        return self.prompts[self.position] if self.position < len(self.prompts) else None

    def write(self, expected: str) -> None:
        """Save the expected result of the current prompt at once, and move on.

        The file is read anew, so changes that others made meanwhile stay. Raises ConfigError if they changed or removed
        this case.
        """
        prompt = self.prompts[self.position]
        document = EditableSuite.read(self.path)
        if not any(case.prompt == prompt for case in document.cases):
            raise ConfigError(f"This test is no longer in {self.path}: somebody took it out meanwhile.")
        mine = {"", self.written.get(prompt, "")}
        if any(case.prompt == prompt and case.expected.strip() not in mine for case in document.cases):
            raise ConfigError(f"Somebody else has filled this test in meanwhile. Their text stays in {self.path}.")
        edits = [document.expecting(case, expected) for case in document.cases if case.prompt == prompt]
        outcome = [(it.prompt, expected if it.prompt == prompt else it.expected) for it in document.cases]
        replace_file(self.path, document.edited(edits, outcome).text.encode())
        self.written[prompt] = expected
        self.position += 1


def known_texts(client: httpx.Client) -> dict[str, KnownText]:
    """Return what the backend knows of the badly answered texts, by text.

    Raises ConfigError when the backend can't be asked.
    """
    found: dict[str, KnownText] = {}
    after = ""
    while True:
        response = _page(client, after)
        try:
            page = json_of(response)
            for case in page["cases"]:
                known = found.setdefault(case["prompt"], KnownText())
                known.items += [case["item"]] if "item" in case else []  # a former version has no names
                known.answers += [
                    ReviewedAnswer(it["response_text"], str(it["rating"]), it["reasons"], it["comment"])
                    for it in case["answers"]
                ]
                known.suggestions += [it["text"] for it in case.get("suggestions", ())]
            following = page["next"]
        except (ValueError, LookupError, TypeError):
            raise ConfigError(f"The backend at {client.base_url} answers something else than Canopy does.") from None
        if following is None:
            return found
        after = following


def say_of(client: httpx.Client, known: KnownText, action: str) -> None:
    """Tell the backend's queue what a reviewer says of a text: `fine` or `dismiss`. Raises ConfigError."""
    try:
        items = [{"item": item, "action": action} for item in known.items]
        response = client.put("/feedback/review", json={"items": items})
        results = json_of(response)["results"] if response.status_code == 200 else []
    except httpx.HTTPError as error:
        reason = explain(error, Peer("the backend", "--backend"), str(client.base_url))
        raise ConfigError(f"The backend at {client.base_url} can't be reached. {reason}") from error
    except (ValueError, LookupError, TypeError):
        results = []
    if not results or any(it.get("status") != "ok" for it in results):
        raise ConfigError(f"The backend at {client.base_url} did not take it (status {response.status_code}).")


def _page(client: httpx.Client, after: str) -> httpx.Response:
    try:
        response = client.get("/feedback/review", params={"state": "all", "limit": _PAGE, "after": after})
    except httpx.HTTPError as error:
        reason = explain(error, Peer("the backend", "--backend"), str(client.base_url))
        raise ConfigError(f"The backend at {client.base_url} can't be reached. {reason}") from error
    location = response.headers.get("location")
    if moved := redirection(response.status_code, location, str(response.url), "--backend"):
        raise ConfigError(f"The backend at {client.base_url} answers elsewhere. {moved}")
    if response.status_code != 200:
        raise ConfigError(
            f"The backend at {client.base_url} doesn't show its feedback (status {response.status_code})."
        )
    return response
