"""Returns whole answers, to callers that don't pass a model's reply on as it arrives: judges, scorers, measurements."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import NamedTuple

from canopy.base.errors import MaxTokensRefused, ModelError, ModelTimeout
from canopy.inference.protocol import ChatRequest, Completed, Inference, Message
from canopy.inference.reply_errors import truncated_reply

JUDGE_MAX_TOKENS = 2048  # room for a model that thinks, or gives reasons, before it says its label or grade


class WholeAnswer(NamedTuple):
    """Holds a complete answer, without the model's thoughts."""

    text: str
    finish_reason: str  # `stop`, or `length` where `max_tokens` ended it


async def complete(inference: Inference, request: ChatRequest) -> WholeAnswer:
    """Ask a model and return its answer when it is complete. Raises ModelError and PromptTooLong."""
    texts: list[str] = []
    async with aclosing(inference.stream(request)) as reply:
        async for item in reply:
            if isinstance(item, Completed):
                return WholeAnswer(item.answer(texts), item.finish_reason)
            texts += item
    raise truncated_reply()


async def ask_judge(
    inference: Inference,
    model: str,
    messages: Sequence[Message],
    *,
    max_tokens: int = JUDGE_MAX_TOKENS,
    timeout: float | None = None,  # noqa: ASYNC109  # it has a sentence of its own
    trace_headers: tuple[tuple[str, str], ...] = (),
) -> WholeAnswer:
    """Ask a model that judges for its likeliest answer, within `timeout` seconds.

    Raises ModelError, which speaks of the judge and not of a feature, and PromptTooLong.
    """
    try:
        async with asyncio.timeout(timeout):
            return await complete(inference, ChatRequest(model, tuple(messages), 0, max_tokens, trace_headers))
    except MaxTokensRefused as error:
        sentence = f"The judge's model allows no answer of {max_tokens:,} tokens."
        raise ModelError(sentence, reason=error.reason) from error
    except TimeoutError as error:
        raise ModelTimeout(f"The judge's model took longer than {timeout:g} seconds.") from error
