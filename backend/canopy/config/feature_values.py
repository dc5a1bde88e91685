"""The sections that define features: their models, prompts and parameters."""

import re
from collections.abc import Container
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from canopy.config.section import Section
from canopy.config.server_urls import ServerUrl


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must hold more than white space")
    return text


def _one_line(text: str) -> str:
    if not re.fullmatch(TITLE_PATTERN, text):
        raise ValueError("must be one line of signs that are seen, and begin with no space")
    return text


# Control characters, line ends, and characters that are invisible or change the direction of writing.
_UNSEEN = "\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
# These, and spaces, joiners and fillers, which are allowed only after a visible character.
_NO_BEGINNING = (
    _UNSEEN + " \u00a0\u034f\u115f\u1160\u1680\u2000-\u200d\u202f\u205f\u2800\u3000\u3164\ufe00-\ufe0f\uffa0"
)
TITLE_PATTERN = f"^[^{_NO_BEGINNING}][^{_UNSEEN}]*$"
# A variant of an experiment is named by the key of its prompt, also where both have the same one: `prompt` is A, which
# is in force, `prompt_b` is B, the challenger.
type Variant = Literal["prompt", "prompt_b"]
VARIANTS: tuple[Variant, Variant] = ("prompt", "prompt_b")

Alias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,99}$")]


def _numbered_or_named(value: Any, check: ValidatorFunctionWrapHandler) -> int | str:
    try:
        version: int | str = check(value)
    except ValidationError as error:
        raise ValueError("must be a version's number, `latest` or an alias") from error
    return version


# A version's number, also in quotes, or an alias. In MLflow the alias `latest` always means the newest version.
Version = Annotated[
    Annotated[int, Field(ge=1)]
    | Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]{0,8}|[A-Za-z][A-Za-z0-9_-]{0,99})$")],
    WrapValidator(_numbered_or_named),
]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=60), AfterValidator(_one_line)]
Prompt = Annotated[str, StringConstraints(strip_whitespace=False, max_length=20_000)]
SystemPrompt = Annotated[
    str,
    StringConstraints(strip_whitespace=False, min_length=1, max_length=20_000),
    AfterValidator(_not_blank),
]


@dataclass(frozen=True, slots=True)
class ModelParameters:
    """Holds the prompts and sampling parameters that a feature sends to its model."""

    prompt: str
    temperature: float
    max_tokens: int
    prompt_b: str = ""


# What answers where the values name no model server, whatever model they name.
EMBEDDED_MODEL = "smollm2-135m-instruct"

# The defaults of unset parameters. Those for the small embedded model were measured (docs/decisions/0055).
MODEL_SERVER_DEFAULTS = ModelParameters(
    prompt=(
        "Summarize the text in a few clear sentences. Keep the facts, names and numbers, and add nothing of your own."
    ),
    temperature=0.9,
    max_tokens=4096,
)
EMBEDDED_MODEL_DEFAULTS = ModelParameters(
    prompt="State the main point of the text in one short sentence, with the places and dates that matter.",
    temperature=0,
    max_tokens=100,
)


class PromptedValues(Section):
    """Keys that every feature has. Null means unset."""

    enabled: bool = Field(True, description="Serve the feature and its page.")
    model: ModelName | None = Field(None, description="The model's id at the model server.")
    prompt: SystemPrompt | None = Field(None, description="The system prompt; in A/B tests this is Prompt A.")
    prompt_b: Prompt = Field("", description="The prompt to compare with. Empty: Prompt A, under what else B has.")
    model_b: ModelName | None = Field(None, description="The model to compare with. Null: A's.")
    temperature_b: float | None = Field(
        None, ge=0, le=2, allow_inf_nan=False, description="B's sampling temperature. Null: A's."
    )
    max_tokens_b: int | None = Field(None, ge=1, le=1_000_000, description="B's longest answer in tokens. Null: A's.")
    mlflow_prompt: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_.-]{0,250}$",
        description="A prompt in MLflow's registry that replaces `prompt`.",
    )
    mlflow_prompt_version: Version | None = Field(
        None, description="Its version: a number, `latest` or an alias; null takes that of `mlflow_prompt_alias`."
    )
    mlflow_prompt_alias: Alias = Field("champion", description="Whose version it is, where no version is named.")
    mlflow_prompt_b_version: Version | None = Field(
        None,
        description="The version that is Prompt B: a number, `latest` or an alias; null takes that of "
        "`mlflow_prompt_b_alias`.",
    )
    mlflow_prompt_b_alias: Alias = Field(
        "challenger", description="Whose version is Prompt B, where the registry has one by this alias."
    )
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False, description="Sampling temperature.")
    max_tokens: int | None = Field(None, ge=1, le=1_000_000, description="Longest answer in tokens.")
    hide_thoughts: bool | None = Field(None, description="Leave what a model thinks before it answers out.")

    def parameters(self, defaults: ModelParameters) -> ModelParameters:
        """Return these parameters, with the defaults in place of unset ones."""
        own = {name: getattr(self, name) for name in ModelParameters.__slots__}
        return replace(defaults, **{name: value for name, value in own.items() if value is not None})


class SummarizeValues(PromptedValues):
    """The section `summarize`: the built-in feature."""

    enabled: bool = Field(True, description="Serve /summarize and the Summarization page.")
    model: ModelName = Field("llama32", description="The model's id at the model server.")
    prompt: SystemPrompt | None = Field(
        None,
        description="The system prompt; in A/B tests this is Prompt A. Null: Canopy's own for the model server.",
    )
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        allow_inf_nan=False,
        description=f"Sampling temperature. Null: {MODEL_SERVER_DEFAULTS.temperature}, and "
        f"{EMBEDDED_MODEL_DEFAULTS.temperature} with the embedded model.",
    )
    max_tokens: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description=f"Longest answer in tokens. Null: {MODEL_SERVER_DEFAULTS.max_tokens}, and "
        f"{EMBEDDED_MODEL_DEFAULTS.max_tokens} with the embedded model.",
    )
    hide_thoughts: bool = Field(
        True, description="Leave what a model thinks before it answers out of its answers: not shown, kept or judged."
    )


class FeatureValues(PromptedValues):
    """A block under `features`: a further feature. Its unset parameters are those of `summarize`."""

    title: Title | None = Field(
        None, description="What people read on its page and in the navigation. Null: the name in words."
    )
    prompt: SystemPrompt = Field(description="The system prompt; in A/B tests this is Prompt A.")


FEATURE_NAME = r"^[a-z][a-z0-9_-]{0,29}$"
MOST_FEATURES = 20  # each adds series of metrics
CHAT_SUFFIX = "_chat"  # ends the names of conversation modes in records
# First segments of the server's own paths; a test compares them with its routes.
RESERVED_PATHS = frozenset(
    {
        *("docs", "experiments", "feature-flags", "feedback", "generations", "healthz", "identity", "metrics"),
        *("promotions", "readyz", "sign-in", "sign-out", "status", "summarization", "summarize", "ui"),
    }
)
# Paths that oauth2-proxy answers itself with any method (its `--ping-path` and `--ready-path`): in front of Canopy, a
# feature's requests there would get its OK and never arrive. Refused in every mode, since `auth.mode` may change.
PROXY_PATHS = frozenset({"ping", "ready"})
RESERVED_SUBPATHS = frozenset({"ab", "chat"})  # last segments of every feature's paths
# Names that YAML 1.1 reads as true, false or null: without quotes, Helm makes `on` the key `true`.
YAML_WORDS = frozenset({"false", "n", "no", "null", "off", "on", "true", "y", "yes"})


def check_feature_name(name: str, taken: Container[str]) -> None:
    """Raise ValueError if this can't be a feature's name. `taken` holds names with another meaning."""
    if not re.fullmatch(FEATURE_NAME, name):
        raise ValueError(
            f"`{name[:40]}` can't be the name of a feature. Begin with a lower-case letter, and use up to 30 of those, "
            "digits, `-` and `_`"
        )
    if name.endswith(CHAT_SUFFIX):
        raise ValueError(f"`{name}` would be mistaken for another feature's conversations. Leave `_chat` out of it")
    if name in YAML_WORDS:
        raise ValueError(f"`{name}` can't be the name of a feature: YAML reads it as true, false or null")
    if name in taken:
        raise ValueError(f"`{name}` is the name of something else in Canopy or its proxy. Give the feature another")


class SummarizationValues(SummarizeValues):
    """The section `summarization`: the workshop's name of `summarize`, with the model server's URL in it."""

    endpoint: ServerUrl | None = Field(None, strict=False, description="Another name of `LLAMA_STACK_URL`.")


def differs_from_defaults(section: Any) -> bool:
    """Return whether a section `summarize` sets anything: Helm writes the defaults into every file."""
    if not isinstance(section, dict):
        return section is not None
    defaults = SummarizeValues().model_dump(mode="json") | asdict(MODEL_SERVER_DEFAULTS)  # which older charts wrote out
    return any(value is not None and value != defaults.get(key) for key, value in section.items())
