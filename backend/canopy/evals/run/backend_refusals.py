"""Explains a backend's or proxy's refusals in sentences that end with what to do."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from canopy.text.addresses import origin

# Canopy's error codes that count as (bad) answers: the model answered without a word or what its
# server's filter stops, or the text itself is refused. Whatever else stands between a question and its answer (a server
# that is down, slow, not set up or somebody else) says nothing of either.
OF_THE_ANSWER = frozenset(
    {"body_too_large", "invalid_input", "model_content_filtered", "model_reply_empty", "prompt_too_long"}
)
_NOTHING_THERE = (404, 405)
_AT_THE_DOOR = (401, 403)
_PROXY_TOKEN = (
    "Give --backend the proxy's address, and CANOPY_EVALS_TOKEN a bearer token that the proxy itself takes "  # noqa: S105 - holds none
    "(oauth2-proxy: `--skip-jwt-bearer-tokens`; OpenShift: `--openshift-delegate-urls`)."
)


@dataclass(frozen=True, slots=True)
class BackendRefusal:
    """Holds a status other than 200, with the backend's own sentence and code if it sent them."""

    status: int
    code: str | None
    detail: str | None

    @classmethod
    def of(cls, status: int, body: bytes) -> "BackendRefusal":
        """Parse a response's body as far as it is Canopy's error format."""
        answer: Any = None
        with suppress(orjson.JSONDecodeError):
            answer = orjson.loads(body)
        code, detail = (answer.get("code"), answer.get("detail")) if isinstance(answer, dict) else (None, None)
        return cls(
            status,
            code if isinstance(code, str) else None,
            detail if isinstance(detail, str) else None,
        )

    @property
    def is_of_the_answer(self) -> bool:
        """Return whether the error is about the text or the model's answer."""
        return self.code in OF_THE_ANSWER

    @property
    def is_final(self) -> bool:
        """Return whether every other request would be refused too, unless Canopy is known to be at the address."""
        return self.status in (*_AT_THE_DOOR, 407) or self.is_about_address

    @property
    def is_about_address(self) -> bool:
        """Return whether there is no such route; a disabled feature is no such case."""
        return self.status in _NOTHING_THERE and self.code != "feature_disabled"

    @property
    def may_pass(self) -> bool:
        """Return whether retrying soon may help: the backend, or a proxy's upstream, is busy or missing."""
        return self.status in (429, 503) or (self.status == 502 and self.code is None)

    @property
    def sentence(self) -> str:
        """Return what happened, as a sentence."""
        code = f" ({self.code})" if self.code else ""
        detail = f": {self.detail}" if self.detail else ""
        return f"The backend answered with status {self.status}{code}{detail}".removesuffix(".") + "."

    def advice(self, asked: str, base: str, *, token: bool) -> str:
        """Return what to do about a final refusal of the URL `asked`, below the backend's URL `base`.

        `token` tells whether a token was sent.
        """
        if self.is_about_address:
            return _wrong_address(asked, base)
        if self.status == 407:
            return "Give the proxy on the way its user in HTTP_PROXY or HTTPS_PROXY, or name the host in NO_PROXY."
        if self.code == "identity_refused" or (self.code == "unauthenticated" and "proxy" in (self.detail or "")):
            return _PROXY_TOKEN
        if self.code in {"unauthenticated", "forbidden"}:
            name = "CANOPY_EVALS_TOKEN"
            return f"Set {name} to {'another token, one' if token else 'a token'} that may ask for answers."
        if self.code:
            return "Ask whoever runs the backend."
        return f"That is no answer of Canopy's: {_before(token=token)}"


def _wrong_address(asked: str, base: str) -> str:
    host = origin(base)
    rest = f"such as {host}, without /summarize, /docs or another route behind it, and " if base != host else ""
    return (
        f"There is no such route of Canopy at {asked}: --backend takes the address of Canopy's page, {rest}not the "
        "model server's."
    )


def wrong_endpoint(endpoint: str) -> str:
    """Return what to do about a suite's endpoint that a Canopy has no route for, such as that of a removed feature."""
    return (
        f"The backend answers no prompts at {endpoint}: correct the suite's `endpoint`, or bring the feature back in "
        "the backend's values."
    )


def web_page(asked: str, *, token: bool) -> str:
    """Return a sentence on a web page with status 200 in place of an answer."""
    return (
        f"The backend answered with a web page instead of text/event-stream: {_before(token=token)} "
        f"Or something else than Canopy is at {asked}."
    )


def _before(*, token: bool) -> str:
    which = "took no notice of the token" if token else "wants to know who asks"
    return f"a proxy in front of it {which}. {_PROXY_TOKEN}"
