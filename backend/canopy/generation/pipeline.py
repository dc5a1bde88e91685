"""One generation from question to record: flag → prompt → place → model → deltas → record. Read this first."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass, field

from opentelemetry.trace import Span, Status, StatusCode, get_current_span

from canopy.auth.budgets import StorageBudgets
from canopy.auth.requesters import ANONYMOUS, Requester
from canopy.base.errors import CanopyError, ShuttingDown, StoreError
from canopy.base.ids import new_id
from canopy.config.feature_values import Variant
from canopy.config.loading import Config
from canopy.config.registered_prompts import RegisteredPrompt
from canopy.config.source import ConfigSource
from canopy.generation.admission import Admission
from canopy.generation.prompts import Prompt, prompt_of
from canopy.inference.protocol import ChatRequest, Completed, Deltas, Inference, Message, ValueKeys
from canopy.store.generations.generation import Generation
from canopy.store.generations.generation import Status as GenerationStatus
from canopy.store.generations.generations import GenerationStore
from canopy.store.keys import Proof
from canopy.telemetry import Telemetry
from canopy.telemetry.events import GenerationFinished
from canopy.telemetry.traces import span_id_of


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A client's request to a feature. The last of `messages` is the client's question or text."""

    feature: str
    messages: tuple[Message, ...]
    trace_id: str
    session_id: str | None = None
    user_id: str | None = None
    user_proof: Proof | None = None
    conversation: bool = False  # a list of turns, recorded as such even if there is only one
    variant: Variant = "prompt"
    config: Config | None = None  # None: the one in force when the generation starts
    comparison_id: str | None = None  # of the comparison that it is one side of
    requester: Requester = ANONYMOUS
    evaluation: bool = False  # asked by an evaluation: left out of all figures on users
    holds_places: bool = False  # the caller holds the place for it, by `Pipeline.places`
    on_finished: Callable[[GenerationFinished], None] | None = None  # None: logged and counted at once


@dataclass(slots=True)
class _ActiveGeneration:
    """A generation in progress."""

    id: str
    question: GenerationRequest
    config: Config
    prompt: Prompt
    request: ChatRequest
    request_span: Span
    span: Span
    created_at: int
    began: float
    texts: list[str] = field(default_factory=list)
    first_token: float | None = None


class Pipeline:
    """Runs generations and records each, however it ends."""

    def __init__(
        self,
        config: ConfigSource,
        inference: Inference,
        generations: GenerationStore,
        telemetry: Telemetry,
        admission: Admission,
        on_recorded: Callable[[Generation], None],
        budgets: StorageBudgets,
    ) -> None:
        """`on_recorded` is called with every generation once it is stored, and must not block."""
        self._config = config
        self._inference = inference
        self._generations = generations
        self._telemetry = telemetry
        self._admission = admission
        self._on_recorded = on_recorded
        self._budgets = budgets
        self._interrupted = False
        self._tasks: set[asyncio.Task[object]] = set()
        self._recordings: set[asyncio.Task[bool]] = set()

    def check(self, feature: str) -> Config:
        """Return the config in force. Raises NotFound if it has no such feature, FeatureDisabled if that is off."""
        return self._config.current.require_feature(feature)

    def places(self, question: GenerationRequest, wanted: int = 1) -> AbstractAsyncContextManager[None]:
        """Return a context that holds places for `wanted` generations. Entering raises Overloaded or RateLimited."""
        return self._admission.places(question.requester, wanted)

    async def generate(self, question: GenerationRequest) -> AsyncGenerator[Deltas | Generation]:
        """Yield the reply as it arrives and, when it is complete and recorded, the record.

        Raises FeatureDisabled, Overloaded, RateLimited, ShuttingDown, ModelError or PromptTooLong, and StoreError when
        the reply is complete but could not be recorded. A failed generation is recorded as failed; one whose consumer
        goes away (`aclose` or cancellation) as cancelled, and the model is told to stop.
        """
        config = question.config or self.check(question.feature)
        async with nullcontext() if question.holds_places else self.places(question), self._interruptible():
            active = self._begin(question, config)
            try:
                async with aclosing(self._inference.stream(active.request)) as reply:
                    async for item in reply:
                        if isinstance(item, Completed):
                            completed = item
                            break
                        if active.first_token is None:
                            active.first_token = time.monotonic()
                        active.texts += item
                        yield item
            except CanopyError as error:
                await self._finish(active, _record(active, "failed", code=error.code), error)
                raise
            except (asyncio.CancelledError, GeneratorExit) as error:
                if self._interrupted and isinstance(error, asyncio.CancelledError):
                    await self._finish(active, _record(active, "failed", code=ShuttingDown.code))
                    raise _shutting_down() from error
                await self._finish(active, _record(active, "cancelled"))
                raise
            except BaseException:
                await self._finish(active, _record(active, "failed", code=CanopyError.code))
                raise
            generation = _record(active, "completed", completed=completed)
            if await self._finish(active, generation):
                yield generation
            else:
                raise StoreError("The answer is complete, but it could not be recorded, so it can't be rated.")

    def interrupt(self) -> None:
        """End all generations in progress, and all later ones, with ShuttingDown."""
        self._interrupted = True
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Interrupt, and return when every generation is recorded."""
        self.interrupt()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.gather(*self._recordings)

    @asynccontextmanager
    async def _interruptible(self) -> AsyncGenerator[None]:
        """Register the current task, so that `interrupt` can cancel it. Raises ShuttingDown after an interruption."""
        if self._interrupted:
            raise _shutting_down()
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            yield
        finally:
            if task is not None:
                self._tasks.discard(task)

    def _begin(self, question: GenerationRequest, config: Config) -> _ActiveGeneration:
        feature = config.features[question.feature]
        variant = feature.variant(question.variant)
        system_prompt = prompt_of(variant.prompt)
        model = self._inference.model_name(variant.model)
        generation_id = new_id("gen")
        registered = _registered(question, config)
        span = self._telemetry.traces.begin_model_call(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "llama_stack",
                "gen_ai.request.model": model,
                "gen_ai.request.temperature": variant.temperature,
                "gen_ai.request.max_tokens": variant.max_tokens,
                "canopy.feature": feature.name,
                "canopy.generation_id": generation_id,
                "canopy.prompt_id": system_prompt.id,
                **({"canopy.prompt_version": registered.reference} if registered else {}),
                "canopy.config_revision": config.revision,
                **({"canopy.evaluation": True} if question.evaluation else {}),
            }
        )
        if question.comparison_id is not None:
            ids = {"canopy.generation_id": generation_id, "canopy.prompt_id": system_prompt.id}
            self._telemetry.traces.record_assignment(
                span, question.variant, config.revision, question.comparison_id, ids
            )
        request = ChatRequest(
            model=model,
            messages=(Message("system", system_prompt.text), *question.messages),
            temperature=variant.temperature,
            max_tokens=variant.max_tokens,
            trace_headers=self._telemetry.traces.trace_headers(span, question.trace_id),
            hide_thoughts=feature.hide_thoughts,
            keys=ValueKeys(*(feature.key_of(question.variant, key) for key in ("model", "max_tokens"))),
        )
        return _ActiveGeneration(
            id=generation_id,
            question=question,
            config=config,
            prompt=system_prompt,
            request=request,
            request_span=get_current_span(),
            span=span,
            created_at=time.time_ns() // 1000,
            began=time.monotonic(),
        )

    async def _finish(
        self, active: _ActiveGeneration, generation: Generation, error: CanopyError | None = None
    ) -> bool:
        """Record the generation even if the caller is cancelled meanwhile; return whether it is stored.

        `error` is why it failed.
        """
        self._telemetry.traces.notify_generation(active.request_span, active.span, generation)
        _end_span(active.span, generation)
        self._budgets.spend(active.question.requester, _size(generation))
        tell = active.question.on_finished or self._telemetry.emit
        why = (error.reason, error.sentence) if error else (None, None)
        recording = asyncio.create_task(self._store(GenerationFinished(generation, *why), tell))
        self._recordings.add(recording)
        recording.add_done_callback(self._recordings.discard)
        return await asyncio.shield(recording)

    async def _store(self, ended: GenerationFinished, tell: Callable[[GenerationFinished], None]) -> bool:
        generation = ended.generation
        try:
            await self._generations.record(generation)
        except StoreError:
            return False
        tell(ended)
        self._on_recorded(generation)
        return True


def _size(generation: Generation) -> int:
    """Return the UTF-8 length of the stored texts, in bytes."""
    turns = [turn["content"] for turn in generation.messages or ()]
    return sum(len(text.encode()) for text in (generation.input_text, *turns, generation.response_text))


def _shutting_down() -> ShuttingDown:
    return ShuttingDown("Canopy is being restarted and could not finish the answer. Please try again.", retry_after=1)


def _registered(question: GenerationRequest, config: Config) -> RegisteredPrompt | None:
    """Return the version in MLflow's registry that the variant's prompt is; None where the prompt isn't from there."""
    feature = config.features[question.feature]
    return config.registered.get((feature.flag, feature.prompt_of_variant(question.variant)))


def _record(
    active: _ActiveGeneration, status: GenerationStatus, *, completed: Completed | None = None, code: str | None = None
) -> Generation:
    question = active.question
    registered = _registered(question, active.config)
    return Generation(
        id=active.id,
        trace_id=question.trace_id,
        created_at=active.created_at,
        feature=question.feature,
        status=status,
        error_code=code,
        session_id=question.session_id,
        user_id=question.user_id,
        prompt_id=active.prompt.id,
        prompt_text=active.prompt.text,
        model=active.request.model,
        parameters={
            "temperature": active.request.temperature,
            "max_tokens": active.request.max_tokens,
            **({"mlflow_prompt": registered.reference} if registered else {}),
            **({"adapted": dict(completed.adapted)} if completed and completed.adapted else {}),
        },
        config_revision=active.config.revision,
        input_text=question.messages[-1].content,
        messages=[{"role": turn.role, "content": turn.content} for turn in question.messages]
        if question.conversation
        else None,
        response_text=completed.answer(active.texts) if completed else "".join(active.texts),
        finish_reason=completed.finish_reason if completed else None,
        time_to_first_token=active.first_token - active.began if active.first_token is not None else None,
        duration=time.monotonic() - active.began,
        input_tokens=completed.input_tokens if completed else None,
        output_tokens=completed.output_tokens if completed else None,
        span_id=span_id_of(active.span),
        comparison_id=question.comparison_id,
        user_proof=question.user_proof,
        evaluation=question.evaluation,
    )


def _end_span(span: Span, generation: Generation) -> None:
    if span.is_recording():
        if generation.finish_reason:
            span.set_attribute("gen_ai.response.finish_reasons", [generation.finish_reason])
        if generation.input_tokens is not None:
            span.set_attribute("gen_ai.usage.input_tokens", generation.input_tokens)
        if generation.output_tokens is not None:
            span.set_attribute("gen_ai.usage.output_tokens", generation.output_tokens)
        if generation.status == "failed":
            span.set_attribute("error.type", generation.error_code or "")
            span.set_status(Status(StatusCode.ERROR))
    span.end()
