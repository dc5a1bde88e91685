"""The blocks of the values that make features: which model, which prompts, which parameters."""

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
from canopy.config.servers import ServerUrl


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must hold more than white space")
    return text


def _one_line(text: str) -> str:
    if not re.fullmatch(TITLE, text):
        raise ValueError("must be one line of signs that are seen, and begin with no space")
    return text


# Controls, ends of lines, and signs that nobody sees or that turn the direction of what stands beside them.
_UNSEEN = "\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
# With them spaces, joiners and fillers, which stand well only behind a sign that is seen.
_NO_BEGINNING = (
    _UNSEEN + " \u00a0\u034f\u115f\u1160\u1680\u2000-\u200d\u202f\u205f\u2800\u3000\u3164\ufe00-\ufe0f\uffa0"
)
TITLE = f"^[^{_NO_BEGINNING}][^{_UNSEEN}]*$"
# The keys of a block that hold a prompt. A variant of an A/B test is a prompt by its key: `prompt` is Prompt A.
type Variant = Literal["prompt", "prompt_b"]
VARIANTS: tuple[Variant, Variant] = ("prompt", "prompt_b")

Alias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,99}$")]


def _numbered_or_named(value: Any, check: ValidatorFunctionWrapHandler) -> int | str:
    try:
        version: int | str = check(value)
    except ValidationError as error:
        raise ValueError("must be a version's number, `latest` or an alias") from error
    return version


# A version's number, also in quotes, or whatever version has the alias; MLflow gives `latest` to the newest by itself.
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
class Asked:
    """What a model is asked: with which prompts, and with which parameters."""

    prompt: str
    temperature: float
    max_tokens: int
    prompt_b: str = ""


# Where the values leave it open. What a small model makes of a text has been measured (docs/decisions/0055).
OF_A_SERVER = Asked(
    prompt=(
        "Summarize the text in a few clear sentences. Keep the facts, names and numbers, and add nothing of your own."
    ),
    temperature=0.9,
    max_tokens=4096,
)
OF_THE_EMBEDDED_MODEL = Asked(
    prompt="State the main point of the text in one short sentence, with the places and dates that matter.",
    temperature=0,
    max_tokens=100,
)


class PromptedValues(Section):
    """What the blocks of all features may say. What a block leaves open is null."""

    enabled: bool = Field(True, description="Serve the feature and its page.")
    model: ModelName | None = Field(None, description="The model's id at the model server.")
    prompt: SystemPrompt | None = Field(None, description="The system prompt; in A/B tests this is Prompt A.")
    prompt_b: Prompt = Field("", description="The prompt to compare with; A/B testing needs it.")
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

    def asked(self, otherwise: Asked) -> Asked:
        """What these values ask, and `otherwise` where they leave it open."""
        said = {name: getattr(self, name) for name in Asked.__slots__}
        return replace(otherwise, **{name: value for name, value in said.items() if value is not None})


class SummarizeValues(PromptedValues):
    """The feature that is built in."""

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
        description=f"Sampling temperature. Null: {OF_A_SERVER.temperature}, and {OF_THE_EMBEDDED_MODEL.temperature} "
        "with the embedded model.",
    )
    max_tokens: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description=f"Longest answer in tokens. Null: {OF_A_SERVER.max_tokens}, and "
        f"{OF_THE_EMBEDDED_MODEL.max_tokens} with the embedded model.",
    )
    hide_thoughts: bool = Field(
        True, description="Leave what a model thinks before it answers out of its answers: not shown, kept or judged."
    )


class FeatureValues(PromptedValues):
    """A feature of one's own: a block under `features`. What it leaves open is as `summarize` has it."""

    title: Title | None = Field(
        None, description="What people read on its page and in the navigation. Null: the name in words."
    )
    prompt: SystemPrompt = Field(description="The system prompt; in A/B tests this is Prompt A.")


FEATURE_NAME = r"^[a-z][a-z0-9_-]{0,29}$"
MOST_FEATURES = 20  # each has series of metrics
CHAT_SUFFIX = "_chat"  # how records name a feature's conversations
# The first parts of the server's own addresses; a test compares them with its routes.
ADDRESSES = frozenset(
    {
        *("docs", "feature-flags", "feedback", "healthz", "identity", "metrics", "readyz", "sign-in", "sign-out"),
        *("summarization", "summarize", "ui"),
    }
)
MODES = frozenset({"ab", "chat"})  # the last parts of every feature's


def check_feature_name(name: str, taken: Container[str]) -> None:
    """Raise ValueError for what can't be a feature's name."""
    if not re.fullmatch(FEATURE_NAME, name):
        raise ValueError(
            f"`{name[:40]}` can't be the name of a feature. Begin with a lower-case letter, and use up to 30 of those, "
            "digits, `-` and `_`"
        )
    if name.endswith(CHAT_SUFFIX):
        raise ValueError(f"`{name}` would be mistaken for another feature's conversations. Leave `_chat` out of it")
    if name in taken:
        raise ValueError(f"`{name}` is the name of something else in Canopy. Give the feature another")


class SummarizationValues(SummarizeValues):
    """The section `summarize` as today's workshop writes it, with the model server's address in it."""

    endpoint: ServerUrl | None = Field(None, strict=False, description="Another name of `LLAMA_STACK_URL`.")


def says_something(section: Any) -> bool:
    """Whether a section `summarize` has more than defaults, which Helm puts into every file."""
    if not isinstance(section, dict):
        return section is not None
    defaults = SummarizeValues().model_dump(mode="json") | asdict(OF_A_SERVER)  # which older charts wrote out
    return any(value is not None and value != defaults.get(key) for key, value in section.items())
