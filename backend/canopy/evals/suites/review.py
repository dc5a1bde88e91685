"""Reviewing a suite's cases one by one: which come next, what is known of each, and saving what is expected."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from canopy.base.errors import ConfigError
from canopy.evals.suites.editing import Document, save
from canopy.outgoing import redirection
from canopy.outgoing.bodies import json_of
from canopy.outgoing.causes import Peer, why

_PAGE = 50


@dataclass(frozen=True, slots=True)
class ReviewedAnswer:
    """A response that somebody found bad, and why."""

    text: str
    rating: str
    reasons: Sequence[str]
    comment: str | None


@dataclass(slots=True)
class ReviewSession:
    """One person's way through the cases that awaited review when it began. `position` may be behind the last one."""

    path: Path
    prompts: Sequence[str]
    position: int = 0
    written: dict[str, str] = field(default_factory=dict)  # prompt → expected result, in this sitting

    @classmethod
    def begin(cls, path: Path) -> "ReviewSession":
        """Look for what to review. Raises ConfigError for a file that is no suite."""
        cases = [case for case in Document.read(path).cases if case.prompt.strip()]  # the others are placeholders
        return cls(path, list(dict.fromkeys(case.prompt for case in cases if case.awaits_review)))

    @property
    def prompt(self) -> str | None:
        """What is to be reviewed now; None behind the last one."""
        return self.prompts[self.position] if self.position < len(self.prompts) else None

    def write(self, expected: str) -> None:
        """Save what is expected of the present prompt, at once, and go on.

        The file is read anew: others may have changed it meanwhile, and what they wrote stays. Raises ConfigError
        when they wrote about this very case, or took it out.
        """
        prompt = self.prompts[self.position]
        document = Document.read(self.path)
        if not any(case.prompt == prompt for case in document.cases):
            raise ConfigError(f"This test is no longer in {self.path}: somebody took it out meanwhile.")
        mine = {"", self.written.get(prompt, "")}
        if any(case.prompt == prompt and case.expected.strip() not in mine for case in document.cases):
            raise ConfigError(f"Somebody else has filled this test in meanwhile. Their text stays in {self.path}.")
        edits = [document.expecting(case, expected) for case in document.cases if case.prompt == prompt]
        outcome = [(it.prompt, expected if it.prompt == prompt else it.expected) for it in document.cases]
        save(self.path, document.edited(edits, outcome).text)
        self.written[prompt] = expected
        self.position += 1


def bad_answers(client: httpx.Client) -> dict[str, list[ReviewedAnswer]]:
    """What the backend knows of the responses that became cases, by prompt.

    Raises ConfigError when the backend can't be asked.
    """
    found: dict[str, list[ReviewedAnswer]] = {}
    after = ""
    while True:
        response = _page(client, after)
        try:
            page = json_of(response)
            for case in page["cases"]:
                found[case["prompt"]] = [
                    ReviewedAnswer(it["response_text"], str(it["rating"]), it["reasons"], it["comment"])
                    for it in case["answers"]
                ]
            following = page["next"]
        except (ValueError, LookupError, TypeError):
            raise ConfigError(f"The backend at {client.base_url} answers something else than Canopy does.") from None
        if following is None:
            return found
        after = following


def _page(client: httpx.Client, after: str) -> httpx.Response:
    try:
        response = client.get("/feedback/review", params={"state": "all", "limit": _PAGE, "after": after})
    except httpx.HTTPError as error:
        reason = why(error, Peer("the backend", "--backend"), str(client.base_url))
        raise ConfigError(f"The backend at {client.base_url} can't be reached. {reason}") from error
    location = response.headers.get("location")
    if moved := redirection(response.status_code, location, str(response.url), "--backend"):
        raise ConfigError(f"The backend at {client.base_url} answers elsewhere. {moved}")
    if response.status_code != 200:
        raise ConfigError(
            f"The backend at {client.base_url} doesn't show its feedback (status {response.status_code})."
        )
    return response
