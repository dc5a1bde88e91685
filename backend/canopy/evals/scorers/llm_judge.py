"""Scores by the grade that a language model gives: `llm-as-judge::base`, as Llama Stack 0.7 has it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, override

from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo

from canopy.base.errors import ConfigError, ModelError, ModelNotFound, ModelReplyEmpty, ModelReplyTruncated
from canopy.evals.scorers.grades import read_grade
from canopy.evals.scorers.patterns import Pattern
from canopy.evals.scorers.rubric import DEFAULT_RUBRIC, Rubric, recognize_rubric
from canopy.evals.scorers.spec import Measure, RemoteScorer, Row, ScoreFinding
from canopy.evals.scorers.template import check_template, fill_in, is_template, read_template
from canopy.inference.protocol import Inference, Message
from canopy.inference.scoring import ScoringApi
from canopy.inference.whole_answers import JUDGE_MAX_TOKENS, ask_judge

_CHECK_TOKENS = 16
_ATTEMPTS = 3  # at a grade that can be read, where asking again is wanted
_AGAIN = "No grade can be read in that. Repeat your grade alone, in exactly the form that you were asked for."

type UnitInterval = Annotated[float, Field(ge=0, le=1)]


def _template(given: str, info: ValidationInfo) -> str:
    """Return a template's text, which is given as it is or by the name of its file."""
    if is_template(given):
        check_template(given)
        return given
    folder: Path = (info.context or {})["folder"]
    return read_template(folder, given)


def _scale(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] == ends[1]:
        raise ValueError("must be the worst and the best number, such as `[1, 5]`")
    return ends


def _checked(pattern: str) -> str:
    return Pattern(pattern).source


class JudgeScorer(RemoteScorer):
    """Asks a model for a grade, and turns it into a value from 0 to 1.

    `rubric` (values by grade) and `scale` (the worst and the best number) say what grades are worth; without them, the
    words of the prompt do. Else A to E are worth 1, 0.75, 0.5, 0.25 and 0, and a number from 0 to 1 is worth itself.
    """

    minimum: ClassVar[float] = 0.75
    decides: ClassVar[bool] = True
    function: ClassVar[str] = "llm-as-judge::base"

    judge_model: str = Field(min_length=1)
    prompt_template: Annotated[str, AfterValidator(_template)]  # a file's name, or the text; here the text
    judge_score_regexes: list[Annotated[str, AfterValidator(_checked)]] = Field(min_length=1)
    rubric: dict[str, UnitInterval] | None = Field(None, min_length=1)
    scale: Annotated[tuple[float, float], AfterValidator(_scale)] | None = None
    type: Literal["llm_as_judge"] = "llm_as_judge"
    aggregation_functions: tuple[str, ...] = ()  # Llama Stack's; a single row has nothing to aggregate

    _attempts: int = PrivateAttr(1)
    _worth: Rubric = PrivateAttr(DEFAULT_RUBRIC)

    def with_model(self, model: str | None) -> Self:
        """Return the judge with another model, if one is given."""
        return self.model_copy(update={"judge_model": model}) if model else self

    def with_rubric(
        self, rubric: Mapping[str, float] | None, scale: tuple[float, float] | None, *, ask_again: bool
    ) -> tuple[Self, str | None]:
        """Return the judge with its grades' values, and a sentence if these were recognized in its prompt.

        `rubric` and `scale` take precedence over the suite's own. With `ask_again`, the model is asked again where its
        grade can't be read. Raises ValueError with a sentence if no values are known.
        """
        rubric, scale, told = rubric or self.rubric, scale or self.scale, None
        if rubric is not None:
            worth = Rubric({grade.strip().upper(): value for grade, value in rubric.items()}, scale)
        elif scale is not None:
            worth = Rubric(DEFAULT_RUBRIC.values, scale)
        else:
            worth, told = recognize_rubric(self.prompt_template, self._patterns())
        judge = self.model_copy()
        judge._worth = worth
        judge._attempts = _ATTEMPTS if ask_again else 1
        return judge, told

    @override
    def local(self, inference: Inference | None) -> Measure:
        """Ask the model from here, at temperature 0."""
        if inference is None:
            raise ConfigError("A judge was opened without a model server.")
        read = self._reader()

        async def ask(row: Row, before: ScoreFinding | None) -> ScoreFinding:
            messages = [Message("user", fill_in(self.prompt_template, row))]
            if before is not None and before.text:
                messages += [Message("assistant", before.text), Message("user", _AGAIN)]
            try:
                said, end = await ask_judge(inference, self.judge_model, messages)
            except ModelReplyEmpty:
                return ScoreFinding(error="The judge answered without a word.")
            found = await read(said)
            if found.value is None and end == "length":
                return replace(found, error=f"The judge gave no clear grade within {JUDGE_MAX_TOKENS:,} tokens.")
            return found

        return self._persistent(ask)

    @override
    def remote(self, api: ScoringApi) -> Measure:
        """Let the server ask the model.

        The grade is read here, from what the judge said: the server reads its regular expressions from a place that all
        calls share, and after the model has answered, so that two suites at once would get each other's.
        """
        params = self.model_dump(exclude={"rubric", "scale"}) | {"aggregation_functions": []}
        read = self._reader()

        async def ask(row: Row, _before: ScoreFinding | None) -> ScoreFinding:
            said = (await api.score(self.function, params, asdict(row))).get("judge_feedback")
            if not isinstance(said, str):
                return ScoreFinding(error="The server's score doesn't hold what the judge said.")
            return await read(said)

        return self._persistent(ask)

    def _persistent(self, ask: Callable[[Row, ScoreFinding | None], Awaitable[ScoreFinding]]) -> Measure:
        """Ask until the answer can be read, as often as is wanted."""

        async def measure(row: Row) -> ScoreFinding:
            found = await ask(row, None)
            for _ in range(self._attempts - 1):
                if found.value is not None:
                    break
                found = await ask(row, found)
            return found

        return measure

    def _reader(self) -> Callable[[str], Awaitable[ScoreFinding]]:
        patterns = self._patterns()
        return lambda said: asyncio.to_thread(read_grade, said, patterns, self._worth)

    async def check(self, inference: Inference) -> None:
        """Ask the model for a word. Raises ConfigError when it doesn't answer."""
        try:
            await ask_judge(inference, self.judge_model, [Message("user", "Say yes.")], max_tokens=_CHECK_TOKENS)
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
