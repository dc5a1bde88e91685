"""The evidence of a change: an in-toto Statement v1 beside the values file, in the commit that changes it.

It says what the votes proved in numbers that anybody can compute again, and holds no text of any user. Its JSON Schema
is `docs/evidence.schema.json`.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from canopy.base.errors import ConfigError
from canopy.experiments.cost_words import CostMeasure, ratio_in_words
from canopy.experiments.decision import DecisionStatus
from canopy.stats.measured import Ratio
from canopy.stats.sequential import DecisionRule
from canopy.store.experiments.experiment import PARAMETERS
from canopy.text.json_clarity import unclear_in
from canopy.text.yaml_errors import findings_of

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:canopy:promotion:1"
FOLDER = "evidence"  # beside the values file

type PromotionAction = Literal["promote", "keep", "rollback"]
type Which = Literal["a", "b"]
type Count = Annotated[int, Field(ge=0)]
type Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
type Revision = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]  # the full id of a commit


def _utc_time(text: str) -> str:
    try:
        right = datetime.fromisoformat(text).utcoffset() == timedelta(0)
    except ValueError:
        right = False
    if not right:
        raise PydanticCustomError("utc_time", "should be a time in UTC, such as 2026-11-29T16:00:00Z")
    return text


type UtcTime = Annotated[str, AfterValidator(_utc_time)]  # ISO 8601 in UTC


class Part(BaseModel):
    """A part of a statement. What a newer Canopy would add makes it another predicate type."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(Part):
    """The experiment's decision rule, frozen when it began."""

    alpha: float = Field(gt=0, lt=1, description="Risk of a wrong decision over the whole experiment.")
    prior: float = Field(gt=0, description="Strength of the mixture's Beta distribution.")
    delta: float = Field(gt=0, lt=0.5, description="Win rates within ½ ± this make two prompts equivalent.")
    n_max: int = Field(gt=0, description="Decisive votes after which an undecided experiment is inconclusive.")

    @property
    def decision_rule(self) -> DecisionRule:
        """Return the rule as decisions take it."""
        return DecisionRule(self.alpha, self.prior, self.delta, self.n_max)


class ExperimentFacts(Part):
    """What was compared. Prompts are named by the hashes of their texts, which stand in the values file's history.

    What ends in `_b` is variant B's, and is there only where B has another one than A.
    """

    id: str
    feature: str
    name: str | None = None
    hypothesis: str | None = None
    created_at: UtcTime = Field(description="When it began, ISO 8601 in UTC.")
    prompt_id: str
    prompt_b_id: str
    model: str
    temperature: float
    max_tokens: int
    model_b: str | None = None
    temperature_b: float | None = None
    max_tokens_b: int | None = None
    rule: Rule

    @property
    def own_of_b(self) -> dict[str, str | float]:
        """Return what B has of its own beside its prompt, by the keys of A's."""
        own = {key: getattr(self, f"{key}_b") for key in PARAMETERS}
        return {key: value for key, value in own.items() if value is not None}

    @property
    def differing(self) -> tuple[str, ...]:
        """Return in what the two variants differ, by the keys of the values."""
        return (*(("prompt",) if self.prompt_id != self.prompt_b_id else ()), *self.own_of_b)

    def prompt_id_of(self, which: Which) -> str:
        """Return the prompt of a variant."""
        return self.prompt_b_id if which == "b" else self.prompt_id

    def own_of(self, which: Which) -> dict[str, str | float]:
        """Return what a variant has in place of what the two differ in beside their prompts, by the keys of A's."""
        return self.own_of_b if which == "b" else {key: getattr(self, key) for key in self.own_of_b}

    def producer_of(self, which: Which) -> tuple[str, str | None]:
        """Return by what votes on a variant's answers are counted: its prompt and, where those differ, its model."""
        model = self.own_of(which).get("model")
        return self.prompt_id_of(which), None if model is None else str(model)


class Counts(Part):
    """Counts of ballots: each voter's first one, and in `ballots` and `prompt_b_left` all of them."""

    voters: Count
    wins_a: Count
    wins_b: Count
    ties: Count
    both_bad: Count
    left: Count = Field(description="First ballots for the response in the left column.")
    ballots: Count
    prompt_b_left: Count = Field(description="Ballots on comparisons with Prompt B in the left column.")


class Statistics(Part):
    """What follows from the counts of wins; `canopy verify` computes it again to a relative error of 1e-9."""

    win_rate_b: float | None
    interval: tuple[float, float]
    e_value: float
    e_a: float
    e_b: float
    status: DecisionStatus


class Before(Part):
    """The values file before the change."""

    git_revision: Revision = Field(description="The commit that the change is made on.")
    sha256: Digest


class ServerFacts(Part):
    """The server that counted."""

    config_revision: str | None = Field(description="The values that it ran, by the first 12 digits of their SHA-256.")


class Observed(Part):
    """Votes on a variant's responses, as they were seen when the change was made.

    Votes aren't counted by parameters: where the variants differ in those alone, the votes on both are one.
    """

    prompt_id: str
    model: str | None = Field(None, description="Whose responses they are; there only where the models differ.")
    positive: Count
    negative: Count


class Percentiles(Part):
    """Seconds within which half of the answers came, and 95 % of them."""

    median: float = Field(ge=0)
    p95: float = Field(ge=0)


class Price(Part):
    """What a million tokens of a model cost."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class CostRatio(Part):
    """How many times as much B takes as A, on the same texts, with the 95 % interval."""

    of: CostMeasure
    ratio: float = Field(ge=0)
    low: float = Field(ge=0)
    high: float = Field(ge=0)


class PromptCost(Part):
    """What answers by one prompt took. Those that failed are not among the answers."""

    prompt_id: str
    answers: Count
    failed: Count
    input_tokens: float | None = Field(ge=0, description="Mean of an answer; null where none were counted.")
    output_tokens: float | None = Field(ge=0)
    first_token_seconds: Percentiles | None
    duration_seconds: Percentiles | None
    price: Price | None = Field(None, description="Its model's, in the values; there only where both models had one.")

    @property
    def money(self) -> float | None:
        """Return what an answer cost on average; None where the prices or the tokens aren't known."""
        if self.price is None or self.input_tokens is None or self.output_tokens is None:
            return None
        return (self.input_tokens * self.price.input + self.output_tokens * self.price.output) / 1_000_000


class CostFacts(Part):
    """What both prompts took in the experiment's comparisons, as the server saw it: on the same texts."""

    since: UtcTime | None = Field(description="The first comparison that was measured, ISO 8601 in UTC.")
    until: UtcTime | None
    prompt: PromptCost
    prompt_b: PromptCost
    ratio: CostRatio | None = Field(None, description="B beside A; there only where enough was counted of both.")

    @property
    def words(self) -> str | None:
        """Return what B costs beside A, such as "at 1.8 times the tokens"; None where that is open."""
        it = self.ratio
        return None if it is None else ratio_in_words(it.of, Ratio(it.ratio, it.low, it.high))


class EvaluationFacts(Part):
    """An evaluation of the prompts against the baseline, as `canopy evals run` reports it."""

    verdict: str
    pass_rate: float | None = Field(ge=0, le=1)
    sha256: Digest = Field(description="Of results.json.")


class RegisteredVersion(Part):
    """A version of a prompt in MLflow's registry, and the hash of its text."""

    version: int = Field(ge=1)
    prompt_id: str


class RegistryFacts(Part):
    """What was changed in MLflow's registry, where that has the prompts: the values file stays as it is then."""

    prompt: str = Field(description="The prompt's name.")
    alias: str | None = Field(description="The alias of the prompt in force; null where the values name a version.")
    before: RegisteredVersion = Field(description="Where the alias led before.")
    after: RegisteredVersion
    removed: str | None = Field(description="The alias of Prompt B, where it was taken away.")


class Promotion(Part):
    """The predicate: what was changed, and on what grounds."""

    action: PromotionAction
    forced: str | None = Field(
        None, description="Why it was done although the votes don't say so; of a rollback, why it was made."
    )
    reverts: Revision | None = Field(None, description="The commit that a rollback takes back.")
    reverts_sha256: Digest | None = Field(
        None, description="Of that commit's evidence, which tells it where its id has changed by a rebase."
    )
    made_at: UtcTime = Field(description="ISO 8601 in UTC.")
    canopy: str = Field(description="Version of the Canopy that wrote this.")
    before: Before
    experiment: ExperimentFacts
    counts: Counts
    statistics: Statistics
    server: ServerFacts
    observed: tuple[Observed, ...] = ()
    evaluation: EvaluationFacts | None = None
    cost: CostFacts | None = None
    registry: RegistryFacts | None = None


class Digests(Part):
    """Digests of a file."""

    sha256: Digest


class StatementSubject(Part):
    """The file that the statement is about, by its path in the repository."""

    name: str
    digest: Digests


class Statement(Part):
    """An in-toto Statement v1 with Canopy's predicate."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: tuple[StatementSubject]
    predicate_type: Literal["urn:canopy:promotion:1"] = Field(alias="predicateType")
    predicate: Promotion

    @classmethod
    def of(cls, name: str, content: bytes, predicate: Promotion) -> Self:
        """Return the statement on a values file's new content; `name` is its path in the repository."""
        subject = StatementSubject(name=name, digest=Digests(sha256=sha256(content)))
        return cls(_type=STATEMENT_TYPE, subject=(subject,), predicateType=PREDICATE_TYPE, predicate=predicate)

    @classmethod
    def read(cls, content: bytes, name: str) -> Self:
        """Read a statement; `name` is for errors. Raises ConfigError."""
        try:
            found = cls.model_validate_json(content)
        except ValidationError as error:
            raise ConfigError(f"{name} is no evidence of Canopy's: {findings_of(error)}") from error
        if unclear := unclear_in(content):
            raise ConfigError(f"{name} is no evidence of Canopy's: it has {unclear}.")
        return found

    def written(self) -> bytes:
        """Return it as a file.

        What B has as A and what isn't known of the cost is left out, so that evidence from before it could be told has
        the bytes that it had.
        """
        experiment, cost = self.predicate.experiment, self.predicate.cost
        without: dict[str, Any] = {"experiment": {f"{key}_b" for key in PARAMETERS if key not in experiment.own_of_b}}
        if cost is not None:
            sides = {"prompt": cost.prompt, "prompt_b": cost.prompt_b}
            without["cost"] = {name: {"price"} for name, side in sides.items() if side.price is None}
            without["cost"] |= {"ratio": True} if cost.ratio is None else {}
        without["observed"] = {at: {"model"} for at, it in enumerate(self.predicate.observed) if it.model is None}
        content = self.model_dump_json(by_alias=True, indent=2, exclude={"predicate": without})
        return content.encode() + b"\n"


def sha256(content: bytes) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()
