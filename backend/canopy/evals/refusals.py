"""What a backend, or a proxy in front of it, says when it gives no answer, in sentences that end with what to do."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

# Codes of errors, by status or event, whose reason isn't the question's: asked again later it may be answered.
PASSING = frozenset(
    {
        "model_busy",
        "model_unreachable",
        "overloaded",
        "rate_limited",
        "scans_busy",
        "shutting_down",
        "store_unavailable",
    }
)
_PROXY_TOKEN = (
    "Give --backend the proxy's address, and CANOPY_EVALS_TOKEN a bearer token that the proxy itself takes "  # noqa: S105 - holds none
    "(oauth2-proxy: `--skip-jwt-bearer-tokens`; OpenShift: `--openshift-delegate-urls`)."
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status other than 200, with the backend's own sentence and code where it has them."""

    status: int
    code: str | None
    detail: str | None

    @classmethod
    def of(cls, status: int, body: bytes) -> "Refusal":
        """Read an answer's body as far as it is one of Canopy's."""
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
    def sentence(self) -> str:
        """What happened."""
        code = f" ({self.code})" if self.code else ""
        detail = f": {self.detail}" if self.detail else ""
        return f"The backend answered with status {self.status}{code}{detail}".removesuffix(".") + "."

    def advice(self, *, token: bool) -> str:
        """What to do about a 401 or 403; `token` says whether one was sent."""
        if self.code == "identity_refused" or (self.code == "unauthenticated" and "proxy" in (self.detail or "")):
            return _PROXY_TOKEN
        if self.code in {"unauthenticated", "forbidden"}:
            name = "CANOPY_EVALS_TOKEN"
            return f"Set {name} to {'another token, one' if token else 'a token'} that may summarize."
        if self.code:
            return "Ask whoever runs the backend."
        which = "took no notice of the token" if token else "wants to know who asks"
        return f"That is no answer of Canopy's: a proxy in front of it {which}. {_PROXY_TOKEN}"
