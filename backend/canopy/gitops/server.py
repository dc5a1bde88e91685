"""Asks a running server what its votes have decided, and tells it what came of it in Git."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import httpx
import orjson
from pydantic import TypeAdapter, ValidationError

from canopy import __version__
from canopy.base.errors import ConfigError
from canopy.experiments.cost import RatiosPayload, main_ratio
from canopy.experiments.cost_words import sentence_with_cost
from canopy.experiments.planning import PlanPayload
from canopy.experiments.report import ReportPayload
from canopy.gitops.evidence import (
    CostFacts,
    Counts,
    ExperimentFacts,
    Observed,
    Part,
    PromptCost,
    Statistics,
)
from canopy.gitops.recomputation import LONGEST_FINDING, MOST_FINDINGS
from canopy.gitops.verification import Verified
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
    config_revision: str | None
    page: str | None  # its address for people, where the server knows one
    cost: CostFacts | None  # None where the server can't tell


class _Answer(ReportPayload):
    """What the server says of one experiment; newer ones may say more."""

    total: int  # ballots
    page: NotRequired[str | None]


class _CostAnswer(TypedDict):
    """What the server says of the cost; older ones say less, and newer ones may say more."""

    since: str | None
    until: str | None
    prompt: dict[str, Any]
    prompt_b: dict[str, Any]
    ratios: NotRequired[RatiosPayload]


class _NotThereError(ConfigError):
    """The server has nothing at this address."""


class _NotNowError(ConfigError):
    """The server can't answer this now."""


class Server:
    """One running server. `token` is a bearer token where it wants one."""

    def __init__(self, url: str, token: str | None) -> None:
        """Raise ConfigError for an address that isn't http."""
        if not url.lower().startswith(("http://", "https://")):
            raise ConfigError(f"--backend: `{url}` says no protocol. Write http://{url.rpartition('://')[2]}")
        self.url = url
        self._has_token = token is not None
        headers = {"User-Agent": f"canopy/{__version__}", "Accept": "application/json"}
        self._client = client(url, token=token, timeout=_TIMEOUT, headers=headers)

    def decided(self, feature: str, experiment: str | None = None) -> Decided:
        """Return the experiment with this id, or the one of a feature that the server's values mean.

        Raises ConfigError where the server can't be asked, or has none.
        """
        answer = self._asked(feature, experiment)
        it, numbers, decision = answer["experiment"], answer["statistics"], answer["decision"]
        ids = {"prompt_id": it["prompt"]["id"], "prompt_b_id": it["prompt_b"]["id"]}
        left = round((numbers["left_share"] or 0) * numbers["n"])
        cost = self._cost(it["id"])
        return Decided(
            experiment=_of(ExperimentFacts, {**it, **ids}),
            counts=_of(Counts, {**numbers, "left": left, "ballots": answer["total"]}),
            statistics=_of(Statistics, {**numbers, "status": decision["status"]}),
            sentence=sentence_with_cost(decision["sentence"], decision["status"], cost.words if cost else None),
            next_step=decision["next_step"],
            config_revision=self._config_revision(),
            page=answer.get("page"),
            cost=cost,
        )

    def page(self, experiment: str) -> str | None:
        """Return the address of an experiment's page for people; None where the server knows none, or no experiment.

        Raises ConfigError where the server can't be asked.
        """
        try:
            return self._asked("", experiment).get("page")
        except _NotThereError:
            return None

    def plan(self, feature: str | None = None) -> PlanPayload:
        """Return how long an experiment of a feature takes, or of the one that compares.

        Raises ConfigError where the server can't be asked.
        """
        return self._checked(PlanPayload, self._get("/experiments/plan", {"feature": feature} if feature else {}))

    def observed(self, experiment: ExperimentFacts) -> tuple[Observed, ...]:
        """Return the votes on both variants' responses: of both in one where votes don't tell them apart.

        Raises ConfigError where the server can't be asked.
        """
        found = []
        for prompt_id, model in dict.fromkeys((experiment.producer_of("a"), experiment.producer_of("b"))):
            counts = self._get("/feedback/stats", {"prompt_id": prompt_id} | ({"model": model} if model else {}))
            found.append(
                Observed(
                    prompt_id=prompt_id, model=model, positive=int(counts["positive"]), negative=int(counts["negative"])
                )
            )
        return tuple(found)

    def _cost(self, experiment: str) -> CostFacts | None:
        """Return what an experiment cost. None where the server doesn't get to it now, or is older than this."""
        try:
            found = self._checked(_CostAnswer, self._get(f"/experiments/{experiment}/cost"))
        except (_NotThereError, _NotNowError):
            return None
        sides = {"prompt": found["prompt"], "prompt_b": found["prompt_b"]}
        if any(side.get("price") is None for side in sides.values()):  # of one alone it compares nothing
            sides = {name: {**side, "price": None} for name, side in sides.items()}
        main = main_ratio(found["ratios"]) if "ratios" in found else None
        ratio = main and {"of": main[0], **main[1]}
        return self._checked(
            CostFacts,
            {"since": found["since"], "until": found["until"], "ratio": ratio}
            | {
                name: {key: side[key] for key in PromptCost.model_fields if key in side} for name, side in sides.items()
            },
        )

    def tell(self, verified: Verified) -> None:
        """Tell it of the evidence of a commit, and what its verification found. Raises ConfigError.

        Evidence that can't be read has nothing to be told.
        """
        if verified.statement is None:
            commit = verified.revision[:10]
            raise ConfigError(
                f"{commit} brings no evidence that can be read, or that of several changes: there is nothing to tell. "
                f"Of a merge, tell of what it brings: canopy verify {commit}^..{commit} --backend {self.url}"
            )
        wrong = [it.sentence[:LONGEST_FINDING] for it in verified.findings if not it.right][:MOST_FINDINGS]
        statement = verified.statement.model_dump(mode="json", by_alias=True)
        self._send("PUT", f"/promotions/{verified.revision}", json={"statement": statement, "findings": wrong})

    def _asked(self, feature: str, experiment: str | None = None) -> _Answer:
        found = (
            self._get(f"/experiments/{experiment}")
            if experiment
            else self._get("/experiments/current", {"feature": feature})
        )
        return self._checked(_Answer, found)

    def _checked[T](self, form: type[T], found: dict[str, Any]) -> T:
        try:
            return TypeAdapter(form).validate_python(found)
        except ValidationError as error:
            raise ConfigError(
                f"{self.url} answers differently than this Canopy ({__version__}) expects. Use the `canopy` of the "
                "server's version."
            ) from error

    def _config_revision(self) -> str | None:
        details = self._get("/feature-flags", {"details": "true"})
        revision = details.get("config_revision")
        return revision if isinstance(revision, str) else None

    def _get(self, path: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        return self._send("GET", path, params=params or {})

    def _send(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        try:
            response = self._client.request(method, path, **content)
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
            kinds = {404: _NotThereError, 503: _NotNowError}
            refused = kinds.get(response.status_code, ConfigError) if said else ConfigError
            raise refused(
                f"The server at {self.url} answers {path} with {response.status_code}. {said or 'Is it Canopy?'}"
            )
        return body

    def _refused(self, status: int) -> str:
        if not self._has_token:
            return f"The server at {self.url} wants a token: put a reviewer's into CANOPY_BACKEND_TOKEN."
        if status == 401:
            return f"The server at {self.url} doesn't know the token in CANOPY_BACKEND_TOKEN."
        return f"The server at {self.url} refuses the token in CANOPY_BACKEND_TOKEN: it must be a reviewer's."


def _of[P: Part](part: type[P], said: Mapping[str, Any]) -> P:
    """Return a part of the evidence, of those values that it has."""
    return part.model_validate({key: said[key] for key in part.model_fields if key in said})
