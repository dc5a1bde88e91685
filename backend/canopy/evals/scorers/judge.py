"""A language model as the judge: `llm-as-judge::base`, as Llama Stack 0.7 has it."""

import asyncio
from contextlib import aclosing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, override

from pydantic import AfterValidator, Field, ValidationInfo

from canopy.errors import ConfigError, ModelError, ModelNotFound, ModelReplyEmpty, ModelReplyTruncated
from canopy.evals.scorers.base import Row
from canopy.evals.scorers.kinds import Finding, Measure, OnServer
from canopy.evals.scorers.patterns import Pattern
from canopy.evals.scorers.rubric import fill_in, read_grade, read_template
from canopy.inference.base import ChatRequest, Completed, Inference, Message
from canopy.inference.scoring import ScoringApi

_MAX_TOKENS = 2048  # room for reasons before the grade
_CHECK_TOKENS = 16


def _template(name: str, info: ValidationInfo) -> str:
    folder: Path = (info.context or {})["folder"]
    return read_template(folder, name)


def _checked(pattern: str) -> str:
    return Pattern(pattern).source


class Judge(OnServer):
    """Asks a model for a grade. A to E are worth 1, 0.75, 0.5, 0.25 and 0; a number from 0 to 1 is worth itself."""

    minimum: ClassVar[float] = 0.75
    decides: ClassVar[bool] = True
    function: ClassVar[str] = "llm-as-judge::base"

    judge_model: str = Field(min_length=1)
    prompt_template: Annotated[str, AfterValidator(_template)]  # a file's name; here its text
    judge_score_regexes: list[Annotated[str, AfterValidator(_checked)]] = Field(min_length=1)
    type: Literal["llm_as_judge"] = "llm_as_judge"
    aggregation_functions: tuple[str, ...] = ()  # Llama Stack's; a single row has nothing to aggregate

    def asking(self, model: str | None) -> Self:
        """The same with another model, if one is given."""
        return self.model_copy(update={"judge_model": model}) if model else self

    @override
    def local(self, inference: Inference | None) -> Measure:
        """Ask the model from here, at temperature 0."""
        if inference is None:
            raise ConfigError("A judge was opened without a model server.")
        patterns = self._patterns()

        async def measure(row: Row) -> Finding:
            try:
                said, end = await _ask(inference, self.judge_model, fill_in(self.prompt_template, row), _MAX_TOKENS)
            except ModelReplyEmpty:
                return Finding(error="The judge answered without a word.")
            found = await asyncio.to_thread(read_grade, said, patterns)
            if found.value is None and end == "length":
                return replace(found, error=f"The judge gave no clear grade within {_MAX_TOKENS:,} tokens.")
            return found

        return measure

    @override
    def remote(self, api: ScoringApi) -> Measure:
        """Let the server ask the model.

        The grade is read here, from what the judge said: the server reads its regular expressions from a place that all
        calls share, and after the model has answered, so that two suites at once would get each other's.
        """
        params = self.model_dump() | {"aggregation_functions": []}
        patterns = self._patterns()

        async def measure(row: Row) -> Finding:
            said = (await api.score(self.function, params, asdict(row))).get("judge_feedback")
            if not isinstance(said, str):
                return Finding(error="The server's score doesn't hold what the judge said.")
            return await asyncio.to_thread(read_grade, said, patterns)

        return measure

    async def check(self, inference: Inference) -> None:
        """Ask the model for a word. Raises ConfigError when it doesn't answer."""
        try:
            await _ask(inference, self.judge_model, "Say yes.", _CHECK_TOKENS)
        except (ModelReplyEmpty, ModelReplyTruncated):
            pass  # an odd answer, but the judge is there: it may think longer than this allows
        except ModelNotFound as error:
            raise ConfigError(
                f"The judge ({inference.description}) has no model `{self.judge_model}`: "
                "set `judge_model` in the suite's `scoring_params`, or give another with --judge-model."
            ) from error
        except ModelError as error:
            raise ConfigError(f"The judge does not answer ({inference.description}): {error.in_full}") from error

    def _patterns(self) -> list[Pattern]:
        return [Pattern(pattern) for pattern in self.judge_score_regexes]


async def _ask(inference: Inference, model: str, prompt: str, max_tokens: int) -> tuple[str, str]:
    """What the model says, and how it ended. Raises ModelError and PromptTooLong."""
    said: list[str] = []
    end = ""
    request = ChatRequest(model, (Message("user", prompt),), temperature=0, max_tokens=max_tokens)
    async with aclosing(inference.stream(request)) as reply:
        async for part in reply:
            if isinstance(part, Completed):
                end = part.finish_reason
            else:
                said += part
    return "".join(said), end
