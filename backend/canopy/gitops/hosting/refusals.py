"""Says in sentences why a host opens no pull request, and what to change. None of them holds the token."""

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx

from canopy.base.clock import iso
from canopy.base.errors import GitHostError
from canopy.base.retry_after import parse_retry_after
from canopy.gitops.hosting.forge import Forge
from canopy.gitops.hosting.hosts import PEER, leads_back
from canopy.outgoing.causes import redirection
from canopy.text.visible import excerpt, visible

_LONGEST = 300  # characters of the host's own words
_RESETS = ("x-ratelimit-reset", "ratelimit-reset")  # GitHub's, GitLab's: seconds since the epoch
_REMAINING = ("x-ratelimit-remaining", "ratelimit-remaining")
_LONGEST_WAIT = 86_400  # seconds that are believed
_LATEST = 2**32  # seconds since the epoch that are believed


class Refusal(Exception):  # noqa: N818 - it is an answer, of which `error` makes the error
    """Holds what a host answered in place of what it was asked for."""

    def __init__(self, forge: Forge, response: httpx.Response, answer: Any, token: str) -> None:
        """`answer` is the body's JSON; None where it has none."""
        super().__init__(response.status_code)
        self.status = response.status_code
        self._forge = forge
        self._response = response
        self._answer = answer
        said = ". ".join(dict.fromkeys(it.strip().removesuffix(".") for it in _texts(answer)))
        self._words = excerpt(visible(said.replace(token, "…")), _LONGEST)

    @property
    def says_exists(self) -> bool:
        """Return whether such a pull request is open already."""
        return self._forge.says_exists(self.status, self._words)

    def error(self) -> GitHostError:
        """Return the error for the person."""
        return GitHostError(self._sentence())

    def _sentence(self) -> str:  # noqa: PLR0911 - a table, one row per cause
        forge, status, headers = self._forge, self.status, self._response.headers
        name, repository = forge.host.name, forge.host.repository
        if self._response.is_redirect:
            return self._elsewhere()
        if self._is_too_much():
            return f"{name} takes no more requests with this token for now ({status}): try again {self._when()}."
        if own := forge.own_sentence(status, self._words, self._answer, headers):
            return own
        if status == 401:
            return (
                f"{name} doesn't take the token in CANOPY_GIT_TOKEN (401): it is wrong, expired or revoked. Make one "
                f"with {forge.scope} at {forge.host.web}{forge.tokens}."
            )
        if status == 403 and "protected" in self._words:
            return f"A rule of {repository} at {name} protects the branch (403): {self._words}."
        if status == 403:
            return (
                f"The token in CANOPY_GIT_TOKEN may not open pull requests in {repository} at {name} (403"
                f"{f': {self._words}' if self._words else ''}): it needs {forge.scope}, and its owner leave to write "
                "there."
            )
        if status == 404:
            return (
                f"{name} has {repository}, and takes no pull requests there with this token (404): they are switched "
                f"off, or the token needs {forge.scope}."
            )
        if self.says_exists:
            return f"{name} says that such a pull request exists, and lists none that is open: look at it there."
        if status >= 500:
            return f"{name} answers with status {status}: it fails, or is starting. Try again later."
        return f"{name} refuses the pull request ({status}){f': {self._words}' if self._words else ''}."

    def _is_too_much(self) -> bool:
        headers = self._response.headers
        spent = any(headers.get(name) == "0" for name in _REMAINING)
        return self.status == 429 or (self.status == 403 and (spent or "rate limit" in self._words.lower()))

    def _when(self) -> str:
        headers = self._response.headers
        seconds = parse_retry_after(headers.get("retry-after"))
        if seconds is not None:
            return f"in {min(max(round(seconds), 1), _LONGEST_WAIT)} s"
        reset = next((headers[name] for name in _RESETS if re.fullmatch("[0-9]{1,10}", headers.get(name, ""))), None)
        if reset is None or not time.time() - _LONGEST_WAIT < int(reset) < _LATEST:
            return "in some minutes"
        return f"after {iso(int(reset) * 1_000_000)[:19]}Z"

    def _elsewhere(self) -> str:
        asked, location = str(self._response.url), self._response.headers.get("location")
        if location and leads_back(asked, location) and self.status in (301, 307, 308):
            return self._forge.moved(self.status)
        told = redirection(self.status, location, asked, PEER.setting)
        return f"{self._forge.host.name} doesn't answer itself. {told or f'It answers with status {self.status}.'}"


def no_token(forge: Forge, *, there: bool) -> GitHostError:
    """Return the error for no token, or for one that is `there` and that no header can hold."""
    wrong = "CANOPY_GIT_TOKEN holds what is no token" if there else f"There is no token for {forge.host.name}"
    return GitHostError(f"{wrong}: set CANOPY_GIT_TOKEN to one of {forge.host.web}{forge.tokens} with {forge.scope}.")


def web_page(forge: Forge, response: httpx.Response) -> GitHostError:
    """Return the error for an answer that isn't the API's."""
    return GitHostError(
        f"What answers at {forge.host.api}, with status {response.status_code}, is not its API: a proxy or a page to "
        "sign in at stands before it, the API is below another path, or the host is of another kind than "
        f"{forge.host.kind} (--host). The remote's URL over https:// says where it is."
    )


def _texts(answer: Any, depth: int = 4) -> Iterator[str]:
    """Yield the host's sentences, which stand in texts, lists and objects of lists."""
    match answer:
        case str():
            yield answer
        case list() if depth:
            for it in answer:
                yield from _texts(it, depth - 1)
        case dict() if depth:
            known = [answer[key] for key in ("message", "error_description", "error", "errors") if key in answer]
            if known:
                for it in known:
                    yield from _texts(it, depth - 1)
            elif "field" not in answer:  # GitLab's: a field, and what is wrong with it
                for key, it in answer.items():
                    yield from (f"{key} {text}" for text in _texts(it, depth - 1))
