"""Asks a running server what its votes have decided."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
from pydantic import BaseModel, ValidationError

from canopy import __version__
from canopy.base.errors import ConfigError
from canopy.gitops.evidence import Counts, ExperimentFacts, Observed, Rule, Statistics
from canopy.outgoing.causes import Peer, explain, redirection
from canopy.outgoing.clients import client

_PEER = Peer("the server", "--backend")
_TIMEOUT = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Decided:
    """What a server says of an experiment: what was tested, the counts, and the decision in words."""

    experiment: ExperimentFacts
    counts: Counts
    statistics: Statistics
    sentence: str
    next_step: str
    more_votes: int | None
    prompt: str
    prompt_b: str
    config_revision: str | None
    address: str  # of its page


class _Prompt(BaseModel):
    id: str
    text: str


class _Compared(BaseModel):
    id: str
    feature: str
    name: str | None = None
    hypothesis: str | None = None
    created_at: str
    prompt: _Prompt
    prompt_b: _Prompt
    model: str
    temperature: float
    max_tokens: int
    rule: Rule


class _Numbers(BaseModel):
    voters: int
    n: int
    wins_a: int
    wins_b: int
    ties: int
    both_bad: int
    win_rate_b: float | None
    interval: tuple[float, float]
    e_value: float
    e_a: float
    e_b: float
    left_share: float | None
    prompt_b_left: int


class _Decision(BaseModel):
    status: str
    sentence: str
    next_step: str
    more_votes: int | None


class _Answer(BaseModel):
    """What the server says of one experiment; newer ones may say more."""

    total: int
    experiment: _Compared
    statistics: _Numbers
    decision: _Decision


class Server:
    """One running server. `token` is a bearer token where it wants one."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self._has_token = token is not None
        headers = {"User-Agent": f"canopy/{__version__}", "Accept": "application/json"}
        self._client = client(url, token=token, timeout=_TIMEOUT, headers=headers)

    def decided(self, feature: str, experiment: str | None = None) -> Decided:
        """Return the experiment with this id, or the one of a feature that was used last.

        Raises ConfigError where the server can't be asked, or has none.
        """
        if experiment is None:
            found = self._get("/experiments", {"feature": feature}).get("experiments")
            if not found:
                raise ConfigError(f"Nobody has compared two prompts of `{feature}` on {self.url} yet.")
            experiment = str(found[0]["id"])
        try:
            answer = _Answer.model_validate(self._get(f"/experiments/{experiment}"))
            it, numbers = answer.experiment, answer.statistics
            return Decided(
                experiment=ExperimentFacts(
                    prompt_id=it.prompt.id, prompt_b_id=it.prompt_b.id, **it.model_dump(exclude={"prompt", "prompt_b"})
                ),
                counts=Counts(
                    voters=numbers.voters,
                    wins_a=numbers.wins_a,
                    wins_b=numbers.wins_b,
                    ties=numbers.ties,
                    both_bad=numbers.both_bad,
                    left=round((numbers.left_share or 0) * numbers.n),
                    ballots=answer.total,
                    prompt_b_left=numbers.prompt_b_left,
                ),
                statistics=Statistics.model_validate(
                    {
                        **numbers.model_dump(include={"win_rate_b", "interval", "e_value", "e_a", "e_b"}),
                        "status": answer.decision.status,
                    }
                ),
                sentence=answer.decision.sentence,
                next_step=answer.decision.next_step,
                more_votes=answer.decision.more_votes,
                prompt=it.prompt.text,
                prompt_b=it.prompt_b.text,
                config_revision=self._config_revision(),
                address=f"{self.url}/experiments/{it.id}",
            )
        except ValidationError as error:
            raise ConfigError(
                f"{self.url} answers differently than this Canopy ({__version__}) expects. Use the `canopy` of the "
                "server's version."
            ) from error

    def votes_per_day(self, feature: str) -> float | None:
        """Return how many people a day have preferred one of two prompts in the experiment used last; None without any.

        Raises ConfigError where the server can't be asked.
        """
        found = self._get("/experiments", {"feature": feature}).get("experiments")
        if not found:
            return None
        began = datetime.fromisoformat(str(found[0]["created_at"]))
        chose = int(found[0]["prompt_a_wins"]) + int(found[0]["prompt_b_wins"])
        days = max((datetime.now(UTC) - began).total_seconds() / 86_400, 1)
        return chose / days if chose else None

    def observed(self, prompt_ids: list[str]) -> tuple[Observed, ...]:
        """Return the votes on the responses of each of the prompts. Raises ConfigError where it can't be asked."""
        found = []
        for prompt_id in prompt_ids:
            counts = self._get("/feedback/stats", {"prompt_id": prompt_id})
            found.append(
                Observed(prompt_id=prompt_id, positive=int(counts["positive"]), negative=int(counts["negative"]))
            )
        return tuple(found)

    def _config_revision(self) -> str | None:
        details = self._get("/feature-flags", {"details": "true"})
        revision = details.get("config_revision")
        return revision if isinstance(revision, str) else None

    def _get(self, path: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            response = self._client.get(path, params=params or {})
        except httpx.RequestError as error:
            raise ConfigError(f"The server at {self.url} can't be asked. {explain(error, _PEER, self.url)}") from error
        if moved := redirection(response.status_code, response.headers.get("location"), str(response.url), "--backend"):
            raise ConfigError(f"The server at {self.url} answers elsewhere. {moved}")
        if response.status_code in (401, 403):
            raise ConfigError(self._refused(response.status_code))
        try:
            body = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            body = None
        if response.status_code != 200 or not isinstance(body, dict):
            said = body.get("detail") if isinstance(body, dict) else None
            raise ConfigError(
                f"The server at {self.url} answers {path} with {response.status_code}. {said or 'Is it Canopy?'}"
            )
        return body

    def _refused(self, status: int) -> str:
        if not self._has_token:
            return f"The server at {self.url} wants a token: put a reviewer's into CANOPY_BACKEND_TOKEN."
        if status == 401:
            return f"The server at {self.url} doesn't know the token in CANOPY_BACKEND_TOKEN."
        return f"The server at {self.url} refuses the token in CANOPY_BACKEND_TOKEN: it must be a reviewer's."
