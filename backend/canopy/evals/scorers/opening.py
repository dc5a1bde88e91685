"""Opens the scorers that a suite's `scoring_params` name, so that they can score."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from canopy.base.errors import CanopyError, ConfigError
from canopy.base.settings import Settings
from canopy.evals.scorers.catalog import require_scorer
from canopy.evals.scorers.llm_judge import JudgeScorer
from canopy.evals.scorers.spec import RemoteScorer, Scorer, ScorerSpec
from canopy.inference.opening import open_inference
from canopy.inference.scoring import ScoringApi

_JUDGE = "--judge"
_AT_ONCE = 4  # rows per scorer; a judge is often the same small server that is being evaluated


@dataclass(frozen=True, slots=True)
class OpenScorers:
    """Holds the scorers of a suite, in its order, and who scores: this process or the Llama Stack server."""

    scorers: list[Scorer]
    scoring: Literal["local", "llama-stack"]
    notice: str | None = None  # why `auto` didn't take the server, in a sentence
    rubric_notes: tuple[str, ...] = ()  # how judges' grades were recognized in their prompts, in sentences


@asynccontextmanager
async def open_scorers(
    scoring_params: Mapping[str, Mapping[str, Any] | None],
    folder: Path,
    *,
    judge_url: str | None,
    judge_model: str | None,
    scoring: Literal["auto", "local", "llama-stack"],
    minimums: Mapping[str, float],
    settings: Settings,
    rubrics: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
    scales: Mapping[str, tuple[float, float]] = MappingProxyType({}),
    retry_unusable: bool = False,
) -> AsyncGenerator[OpenScorers]:
    """Open the scorers that a suite in `folder` names, for as long as the context lasts.

    `judge_model` overrides the suite's. `minimums` are the values that pass, by scorer, instead of each scorer's own;
    `rubrics` and `scales` say what a judge's grades are worth, before the suite does. With `retry_unusable` a judge
    whose grade can't be read is asked again. Scorers that Llama Stack doesn't have run in this process, whatever
    `scoring` says.

    Raises ConfigError for an unknown scorer, parameters that are wrong, and a judge or scoring API that isn't there.
    """
    specs = {
        name: require_scorer(name, "`scoring_params`").read(name, params, folder)
        for name, params in scoring_params.items()
    }
    rubric_notes: list[str] = []
    for name, spec in specs.items():
        if isinstance(spec, JudgeScorer):
            specs[name], sentence = _with_rubric(
                name, spec.with_model(judge_model), rubrics.get(name), scales.get(name), ask_again=retry_unusable
            )
            rubric_notes += [sentence] if sentence else []
    judges = [spec for spec in specs.values() if isinstance(spec, JudgeScorer)]
    if judges and judge_url is None:
        raise ConfigError("The suite wants a judge, and none is given: name its server with --judge URL.")
    async with AsyncExitStack() as stack:
        inference = None
        if judges:
            inference = open_inference(judge_url, settings, _JUDGE)
            stack.push_async_callback(inference.close)
            await inference.start()
            for judge in judges:
                await judge.check(inference)
        api, notice = await _server(specs, judge_url, scoring, settings, stack)
        measures = {
            name: spec.remote(api) if api is not None and isinstance(spec, RemoteScorer) else spec.local(inference)
            for name, spec in specs.items()
        }
        yield OpenScorers(
            [
                Scorer(name, measure, minimums.get(name, specs[name].minimum), _AT_ONCE)
                for name, measure in measures.items()
            ],
            "local" if api is None else "llama-stack",
            notice,
            tuple(rubric_notes),
        )


def _with_rubric(
    name: str,
    judge: JudgeScorer,
    rubric: Mapping[str, float] | None,
    scale: tuple[float, float] | None,
    *,
    ask_again: bool,
) -> tuple[JudgeScorer, str | None]:
    try:
        return judge.with_rubric(rubric, scale, ask_again=ask_again)
    except ValueError as error:
        raise ConfigError(f"`scoring_params` of `{name}`: {error}.") from error


async def _server(
    specs: Mapping[str, ScorerSpec],
    url: str | None,
    scoring: Literal["auto", "local", "llama-stack"],
    settings: Settings,
    stack: AsyncExitStack,
) -> tuple[ScoringApi | None, str | None]:
    """Return the server's scoring API if it is to be used, else the reason, where `auto` chose against it."""
    wanted = {spec.function for spec in specs.values() if isinstance(spec, RemoteScorer)}
    if scoring == "local" or (scoring == "auto" and (url is None or not wanted)):
        return None, None
    if url is None:
        raise ConfigError("Scoring by Llama Stack needs its server: name it with --judge URL.")
    api = await stack.enter_async_context(ScoringApi(url, settings, _JUDGE))
    try:
        missing = wanted - await api.functions()
        reason = f"It doesn't have {' and '.join(f'`{name}`' for name in sorted(missing))}." if missing else None
    except CanopyError as error:
        reason = error.sentence
    if reason is None:
        return api, None
    if scoring == "auto":
        return None, f"The server at --judge can't score, so the scores are made here. {reason}"
    raise ConfigError(f"The server at --judge can't score. {reason} Use --scoring local.")
