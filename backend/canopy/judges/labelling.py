"""Lets one judge label one generation: take the turn, ask, read the answer, store the label."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Literal, NamedTuple

from opentelemetry.trace import Span, Status, StatusCode

from canopy.base.errors import (
    CanopyError,
    ModelNotFound,
    ModelReplyEmpty,
    PromptTooLong,
    StoreError,
)
from canopy.base.ratings import JUDGEMENT
from canopy.inference.protocol import Inference, Message
from canopy.inference.whole_answers import ask_judge
from canopy.judges.answers import JudgeAnswer, read_answer
from canopy.judges.definitions import Judge
from canopy.judges.question import ask_again, question
from canopy.store.feedback.vote import Receipt, Vote
from canopy.store.generations.generation import Generation
from canopy.store.judges.judgement import JudgementLease
from canopy.store.keys import judge_voter
from canopy.store.store import Store
from canopy.telemetry import Event, Traces
from canopy.telemetry.events import JudgementFailed, JudgementRecorded

# `taken`: there was nothing to do, as somebody else has the turn or the generation is gone.
type LabellingOutcome = Literal["labelled", "unusable", "taken", "no_budget"]

_QUESTIONS = 2  # for one label: a reply in another form gets a second chance
_NO_ANSWER = "The model gave no answer in the form that was asked for, with one of the judge's labels."


class JudgeUnanswered(Exception):  # noqa: N818 - named after what happened, as the errors of `canopy.base.errors` are
    """The judge's model did not answer. Whoever catches this ends the turn, by `give_back` or `give_up`."""

    def __init__(self, turn: JudgementLease, error: CanopyError) -> None:
        super().__init__(error.sentence)
        self.turn = turn
        self.error = error


class Budget:
    """Counts the questions of a run against a hard limit (None: no limit). One that could not be asked is refunded."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.spent = 0

    @property
    def left(self) -> int | None:
        """Return how many questions may still be asked; None for any number."""
        return None if self.limit is None else self.limit - self.spent

    def spend(self) -> bool:
        """Take one question from the budget. Returns False where none is left."""
        if self.left == 0:
            return False
        self.spent += 1
        return True

    def refund(self) -> None:
        """Give one question back."""
        self.spent -= 1


class _Unusable(NamedTuple):
    """Says why there is no label although the model server is well."""

    code: str
    sentence: str
    reason: str | None = None  # what the model server said


class Labeller:
    """Lets judges label generations. `timeout` is in seconds, for one question to a model.

    `emit` is called with an event for every label and every failure.
    """

    def __init__(
        self, store: Store, inference: Inference, traces: Traces, emit: Callable[[Event], None], timeout: float
    ) -> None:
        self._store = store
        self._inference = inference
        self._traces = traces
        self._emit = emit
        self._timeout = timeout
        self._owner = secrets.token_hex(8)

    async def label(self, judge: Judge, generation_id: str, budget: Budget) -> LabellingOutcome:
        """Label a generation, unless this version of the judge has done so or is about to.

        Raises JudgeUnanswered and StoreError. Where it is cancelled, the turn is given back.
        """
        if not budget.spend():
            return "no_budget"
        # As long as both questions may take, and once more for the calls after which a failure is understood.
        lease = int(self._timeout * (_QUESTIONS + 1) * 1_000_000)
        turn = JudgementLease(generation_id, judge.name, judge.version, self._owner, lease)
        try:
            generation = (
                await self._store.generations.get(generation_id) if await self._store.judgements.take(turn) else None
            )
        except BaseException:
            budget.refund()
            raise
        if generation is None:
            budget.refund()
            return "taken"
        try:
            return await self._label(judge, generation, turn, budget)
        except JudgeUnanswered:
            raise
        except BaseException:
            await asyncio.shield(self._store.judgements.give_back(turn))
            raise

    async def give_back(self, turn: JudgementLease) -> None:
        """End a turn so that a later run takes it again, as the model server is down. Raises StoreError."""
        await self._store.judgements.give_back(turn)

    async def give_up(self, turn: JudgementLease) -> None:
        """End a turn for good without a label, as the model fails on this generation alone. Raises StoreError."""
        await self._store.judgements.end(turn, None)

    async def _label(
        self, judge: Judge, generation: Generation, turn: JudgementLease, budget: Budget
    ) -> LabellingOutcome:
        trace = self._traces.begin_judgement(
            judge.name,
            {
                "gen_ai.operation.name": "evaluate",
                "gen_ai.provider.name": "llama_stack",
                "gen_ai.request.model": judge.model,
                "canopy.generation_id": generation.id,
                "canopy.judge": judge.name,
                "canopy.judge_version": judge.version,
            },
            (generation.trace_id, generation.span_id),
        )
        span = trace.span
        try:
            headers = self._traces.trace_headers(span, trace.trace_id)
            answer = await self._ask(judge, generation, headers, budget)
            if isinstance(answer, _Unusable):
                await self._store.judgements.end(turn, None)
                self._failed(judge, generation, answer, trace.trace_id, span)
                return "unusable"
            receipt = await self._store.judgements.end(turn, _vote(judge, generation, answer))
            if receipt is None:  # the lease ran out, and somebody else was faster
                return "taken"
            self._emit(JudgementRecorded(receipt, judge.name, judge.version, judge.model, trace.trace_id))
            self._traces.record_judgement(trace, _result(judge, answer, receipt))
            return "labelled"
        except CanopyError as error:
            why = _Unusable(error.code, error.sentence, error.reason)
            self._failed(judge, generation, why, trace.trace_id, span)
            if isinstance(error, StoreError):
                raise
            raise JudgeUnanswered(turn, error) from error
        finally:
            span.end()

    async def _ask(
        self, judge: Judge, generation: Generation, headers: tuple[tuple[str, str], ...], budget: Budget
    ) -> JudgeAnswer | _Unusable:
        """Return the judge's answer. The first question is paid for already; one that gets no reply is refunded."""
        messages = question(judge.instructions, judge.labels, generation)
        for number in range(_QUESTIONS):
            if number and not budget.spend():
                break
            try:
                reply = await self._reply(judge.model, messages, headers)
            except ModelReplyEmpty as error:
                return _Unusable(error.code, "The judge's model answered without a word.")
            except PromptTooLong as error:
                too_long = "The response and its text are too long for the judge's model."
                return _Unusable(error.code, too_long, error.reason)
            except BaseException:
                budget.refund()
                raise
            if answer := read_answer(reply, judge.labels):
                return answer
            messages = ask_again(messages, reply, judge.labels)
        return _Unusable("answer_unusable", _NO_ANSWER)

    async def _reply(self, model: str, messages: tuple[Message, ...], headers: tuple[tuple[str, str], ...]) -> str:
        try:
            answer = await ask_judge(self._inference, model, messages, timeout=self._timeout, trace_headers=headers)
        except ModelNotFound as error:
            raise ModelNotFound(
                f"The model server has no model `{model}`: set the judge's `model` to one that it lists.",
                reason=error.reason,
            ) from error
        return answer.text

    def _failed(self, judge: Judge, generation: Generation, why: _Unusable, trace_id: str, span: Span) -> None:
        self._emit(JudgementFailed(judge.name, judge.version, judge.model, generation.id, *why, trace_id))
        if span.is_recording():
            span.set_attribute("error.type", why.code)
            span.set_status(Status(StatusCode.ERROR))


def _vote(judge: Judge, generation: Generation, answer: JudgeAnswer) -> Vote:
    """Return the label as a vote, of which a judge has one on a generation: a new version's replaces the former."""
    return Vote(
        name=judge.name,
        kind=JUDGEMENT,
        value=answer.label,
        sentiment=judge.labels[answer.label],
        feature=None,
        generation_id=generation.id,
        request_id=None,
        input_text=None,
        response_text=None,
        voter=judge_voter(judge.name),
        user_id=None,
        session_id=None,
        comment=answer.rationale,
        reasons=(),
        config_revision=generation.config_revision,
        source="LLM_JUDGE",
        source_id=judge.model,
    )


def _result(judge: Judge, answer: JudgeAnswer, receipt: Receipt) -> dict[str, str | int]:
    """Return the label by OpenTelemetry's conventions, without the rationale, which may quote what users wrote."""
    return {
        "gen_ai.evaluation.name": judge.name,
        "gen_ai.evaluation.score.label": answer.label,
        "gen_ai.evaluation.score.value": judge.labels[answer.label],
        "canopy.feedback_id": receipt.feedback_id,
        "canopy.generation_id": receipt.generation_id or "",
    }
