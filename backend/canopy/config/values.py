"""The typed Helm values: the one source of names, types, bounds and defaults."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from canopy.base.ratings import KINDS, RESERVED_LABELS, SENTIMENTS, Sentiment
from canopy.config.access import AuthValues, RateLimitValues
from canopy.config.feature_values import (
    EMBEDDED_MODEL,
    EMBEDDED_MODEL_DEFAULTS,
    MODEL_SERVER_DEFAULTS,
    MOST_FEATURES,
    PROXY_PATHS,
    RESERVED_PATHS,
    RESERVED_SUBPATHS,
    FeatureValues,
    ModelName,
    ModelParameters,
    SummarizationValues,
    SummarizeValues,
    SystemPrompt,
    check_feature_name,
    differs_from_defaults,
)
from canopy.config.ignored_values import IgnoredValues
from canopy.config.prices import MOST_PRICES, PriceValues
from canopy.config.section import Section
from canopy.config.server_urls import ServerUrl
from canopy.stats.sequential import DecisionRule

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
VoteName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]

# The default `name` of votes, and the only one whose votes count as satisfaction.
SATISFACTION = "user_satisfaction"
# Names that Canopy itself uses for people's ratings, in its store and in MLflow; votes and judges can't have them.
OWN_ASSESSMENTS = {"ab_preference", *(kind.assessment for kind in KINDS.values() if kind.assessment)}


def _refuse_repeated(names: list[str], where: str) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"{where}: each name may stand once")


class Label(Section):
    """Defines a label that clients may send as a rating, beside Canopy's own."""

    name: Name = Field(description="What clients send as `rating`.")
    sentiment: Literal["positive", "neutral", "negative"] = Field(
        "neutral", description="How statistics and the export count it."
    )


class FeedbackValues(Section):
    """The section `feedback`: votes on responses."""

    enabled: bool = Field(True, description="Serve /feedback and its dashboard.")
    reasons: list[Name] = Field(
        ["inaccurate", "incomplete", "too_long", "too_short", "off_topic", "hard_to_read"],
        max_length=20,
        description="Categories that a vote may give as reasons.",
    )
    labels: list[Label] = Field([], max_length=20, description="Ratings of your own, beside Canopy's.")
    names: list[VoteName] = Field(
        [SATISFACTION],
        max_length=20,
        description="What a vote may assess (its `name`). Satisfaction counts `user_satisfaction` alone.",
    )
    voters_per_response: int = Field(
        10,
        ge=1,
        le=1_000_000,
        description="With `auth.mode: open`: from how many sessions and users one response takes votes.",
    )

    @property
    def label_sentiments(self) -> dict[str, Sentiment]:
        """Return the sentiment of each configured label: 1, 0 or -1."""
        return {label.name: SENTIMENTS[label.sentiment] for label in self.labels}

    @model_validator(mode="after")
    def _names(self) -> Self:
        for name in self.names:
            if name in OWN_ASSESSMENTS:
                raise ValueError(f"names: `{name}` means something else already")
        _refuse_repeated(self.names, "names")
        return self

    @model_validator(mode="after")
    def _distinct_labels(self) -> Self:
        for name in (label.name for label in self.labels):
            if name in RESERVED_LABELS or name.isdigit():
                raise ValueError(f"labels: `{name}` means something else already")
        _refuse_repeated(self.reasons, "reasons")
        return self


class AbTestingValues(Section):
    """The section `ab_testing`: comparisons of two variants, and the rule that decides between them."""

    enabled: bool = Field(False, description="Run both variants and ask which response is better.")
    percentage: float = Field(
        100, ge=0, le=100, allow_inf_nan=False, description="Share of sessions, in percent, that get comparisons."
    )
    equal_pace: bool = Field(False, description="Show both responses at the pace of the slower one.")
    alpha: float = Field(
        0.05, ge=1e-6, le=0.5, allow_inf_nan=False, description="Risk of a wrong decision, over a whole experiment."
    )
    prior_strength: float = Field(
        10,
        ge=0.5,
        le=10_000,
        allow_inf_nan=False,
        description="How close a race is expected: a = b of the Beta distribution behind the decision.",
    )
    equivalence_margin: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        allow_inf_nan=False,
        description="Win rates within ½ ± this margin make two prompts equivalent.",
    )
    max_decisive_votes: int = Field(
        2000, ge=1, le=100_000, description="Decisive votes after which an experiment ends as inconclusive."
    )
    name: str = Field("", max_length=120, description="What people call the experiment that runs.")
    hypothesis: str = Field("", max_length=2_000, description="What it is to find out.")

    @property
    def decision_rule(self) -> DecisionRule:
        """The rule of experiments that begin under these values."""
        return DecisionRule(self.alpha, self.prior_strength, self.equivalence_margin, self.max_decisive_votes)


class MlflowValues(Section):
    """The section `mlflow`: the server that gets traces and feedback and may hold the prompts."""

    enabled: bool = Field(False, description="Send traces, with their texts, and feedback to MLflow.")
    url: ServerUrl | None = Field(
        None,
        strict=False,
        description="MLflow's server; the environment's CANOPY_MLFLOW_TOKEN takes a token.",
    )
    experiment: str = Field("canopy", min_length=1, max_length=200, description="The experiment that the traces go to.")


class JudgeLabelValues(Section):
    """Defines one of the labels that a judge may give."""

    name: Name = Field(description="What the judge answers.")
    sentiment: Literal["positive", "neutral", "negative"] = Field(
        "neutral", description="Whether it speaks for or against the response: `negative` ones are for the export."
    )


class JudgeValues(Section):
    """Defines a judge: a model that labels recorded responses."""

    name: Name = Field(description="The name of its labels, in Canopy and in MLflow.")
    instructions: SystemPrompt = Field(min_length=1, description="What to look at, and when to give which label.")
    labels: list[JudgeLabelValues] = Field(
        min_length=2, max_length=20, description="The answers that it may give; any other is an error."
    )
    model: str | None = Field(
        None, min_length=1, max_length=200, description="The judge's model. Unset: `summarize.model`."
    )
    sample: float = Field(
        10, ge=0.01, le=100, allow_inf_nan=False, description="The share of responses, in percent, that it judges."
    )

    @model_validator(mode="after")
    def _own_name(self) -> Self:
        if self.name in {SATISFACTION, *OWN_ASSESSMENTS}:
            raise ValueError(f"name: `{self.name}` is what people's feedback is called")
        return self


_JUDGES = [
    JudgeValues(
        name="accuracy",
        instructions=(
            "Compare the response with the material that it was made from. Look for facts, names, numbers and causes "
            "that the material does not have or that contradict it. What is left out is no error. Say 'accurate' when "
            "everything is supported, 'minor_issues' when a detail is imprecise but nobody would be misled, and "
            "'hallucination_detected' when something is made up or contradicts the material."
        ),
        labels=[
            JudgeLabelValues(name="accurate", sentiment="positive"),
            JudgeLabelValues(name="minor_issues", sentiment="neutral"),
            JudgeLabelValues(name="hallucination_detected", sentiment="negative"),
        ],
    ),
    JudgeValues(
        name="quality",
        instructions=(
            "Judge how useful the response is to the person who asked. Does it do what the task says, with the main "
            "points, at a fitting length, in a form that is easy to read? Say 'excellent' when nothing could be "
            "better, 'good' when it serves its purpose, 'poor' when it misses main points or is hard to use, and "
            "'off_topic' when it is about something else or does not do the task."
        ),
        labels=[
            JudgeLabelValues(name="excellent", sentiment="positive"),
            JudgeLabelValues(name="good", sentiment="positive"),
            JudgeLabelValues(name="poor", sentiment="negative"),
            JudgeLabelValues(name="off_topic", sentiment="negative"),
        ],
    ),
]


class JudgingValues(Section):
    """The section `judging`: when judges work, and how many questions they ask at once."""

    online: bool = Field(False, description="Judge a share of new responses in the background, while serving.")
    concurrency: int = Field(2, ge=1, le=64, description="Questions to judges' models at once.")


class NotificationsValues(Section):
    """The section `notifications`: the webhook that is told of experiments and of changes."""

    enabled: bool = Field(
        False, description="Tell a webhook, such as Slack's, what becomes of experiments and of changes."
    )
    url: ServerUrl | None = Field(
        None,
        strict=False,
        description="The webhook, where its address is no secret; else the environment's CANOPY_NOTIFICATIONS_URL.",
    )
    events: list[Literal["decided", "harmful", "stale", "worse"]] = Field(
        ["decided", "harmful", "stale", "worse"],
        description="What to tell: a decision, harm (reserved), a week without votes, worse votes since a change.",
    )


class MetricsValues(Section):
    """The section `metrics`: who may scrape them."""

    public: bool = Field(
        False, description="Serve `/metrics` on the main port to everybody, also where others reach that port."
    )


class Values(IgnoredValues):
    """Defines every key that the server's values file may have; any other key is an error."""

    LLAMA_STACK_URL: ServerUrl | None = Field(
        None, strict=False, description="The model server: OGX, Llama Stack or another. Unset: the embedded model."
    )
    MODEL_URL: ServerUrl | None = Field(None, strict=False, description="Another name of `LLAMA_STACK_URL`.")
    summarize: SummarizeValues = SummarizeValues()
    summarization: SummarizationValues | None = Field(
        None, description="Today's workshop's name of `summarize`; its `endpoint` is `LLAMA_STACK_URL`."
    )
    features: dict[str, FeatureValues] = Field(
        {},
        description="Features beside summaries, by name: each is served at `/NAME` and has its flag, page and votes.",
    )
    feedback: FeedbackValues = FeedbackValues()
    ab_testing: AbTestingValues = AbTestingValues()
    mlflow: MlflowValues = MlflowValues()
    judges: list[JudgeValues] = Field(
        _JUDGES, max_length=20, description="The judges: a list of `name`, `instructions`, `labels`, `model`, `sample`."
    )
    judging: JudgingValues = JudgingValues()
    auth: AuthValues = AuthValues()
    rate_limits: RateLimitValues = RateLimitValues()
    metrics: MetricsValues = MetricsValues()
    notifications: NotificationsValues = NotificationsValues()
    prices: dict[ModelName, PriceValues] = Field(
        {}, max_length=MOST_PRICES, description="What a million tokens cost, by model: `input` and `output`."
    )

    @field_validator("features", "prices", mode="before")
    @classmethod
    def _null_is_none(cls, given: Any) -> Any:
        return {name: block for name, block in given.items() if block is not None} if isinstance(given, dict) else given

    @field_validator("prices", mode="before")
    @classmethod
    def _names_of_models(cls, given: Any) -> Any:
        if isinstance(given, dict) and not all(isinstance(name, str) and 0 < len(name) <= 200 for name in given):
            raise ValueError("has a name that no model can have. Write the model's id, in quotes where it is a number")
        return given

    @field_validator("features")
    @classmethod
    def _feature_names(cls, features: dict[str, FeatureValues]) -> dict[str, FeatureValues]:
        if len(features) > MOST_FEATURES:
            raise ValueError(f"has {len(features)} features; there may be at most {MOST_FEATURES}")
        for name in sorted(features):
            check_feature_name(name, taken_feature_names())
        return features

    @property
    def summary_parameters(self) -> ModelParameters:
        """Return the parameters of summaries; the defaults of unset ones depend on the model server."""
        defaults = MODEL_SERVER_DEFAULTS if self.LLAMA_STACK_URL else EMBEDDED_MODEL_DEFAULTS
        return self.summarize.parameters(defaults)

    def answering_model(self, configured: str) -> str:
        """Return the model that answers where this one is configured: without a model server the embedded one."""
        return configured if self.LLAMA_STACK_URL else EMBEDDED_MODEL

    @model_validator(mode="before")
    @classmethod
    def _one_name_each(cls, values: Any) -> Any:
        """Accept all names of the model server's address and of `summarize`; refuse two names with different values."""
        if not isinstance(values, dict):
            return values
        section = values.get("summarization")
        endpoint = section.get("endpoint") if isinstance(section, dict) else None
        names = {name: values.get(name) for name in ("LLAMA_STACK_URL", "MODEL_URL")}
        given = [(name, url) for name, url in {**names, "summarization.endpoint": endpoint}.items() if url]
        for name, url in given[1:]:
            if url != given[0][1]:
                raise ValueError(f"{given[0][0]} and {name} are two names of one address. Keep one of them")
        if section and differs_from_defaults(values.get("summarize")):
            raise ValueError("summarize and summarization are two names of one section. Keep one of them")
        return {**values, "LLAMA_STACK_URL": given[0][1]} if given else values

    @model_validator(mode="after")
    def _under_own_name(self) -> Self:
        """Move the section `summarization`, if given, to `summarize`."""
        if self.summarization is None:
            return self
        own: dict[str, Any] = {"summarization": None}
        if said := self.summarization.model_dump(exclude={"endpoint"}, exclude_unset=True):
            own["summarize"] = SummarizeValues(**said)
        return self.model_copy(update=own)


def taken_feature_names() -> set[str]:
    """Return the names that a feature can't have: the values' own keys, which also name flags, and path segments."""
    keys = {field.alias or name for name, field in Values.model_fields.items()}
    return keys | RESERVED_PATHS | RESERVED_SUBPATHS | PROXY_PATHS
