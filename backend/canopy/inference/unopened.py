"""Thoughts that the prompt opens: the template ends with `<think>`, and all that the model sends of it is the end.

Nothing in a stream tells such thoughts from an answer before their end. So a model's first answer is shown as it
comes, and what turns out to be thoughts is taken back at its end; the ones that follow wait for the mark.
"""

import logging
from dataclasses import replace

from canopy.inference.protocol import ChatRequest, Completed, Deltas
from canopy.inference.thoughts import Thoughts
from canopy.inference.verdicts import empty
from canopy.text.thoughts import lone_end

_log = logging.getLogger(__name__)


class Unopened:
    """What is known of one model of one server, whose name is for the log."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._mark: str | None = None  # the end of thoughts that its prompt opens
        self._told = False

    def thoughts(self) -> Thoughts:
        """What leaves the thoughts out of its next answer."""
        return Thoughts(self._mark)

    def learn(self, thoughts: Thoughts | None, request: ChatRequest, texts: Deltas, completed: Completed) -> Completed:
        """The end of an answer of these texts, with how much of them were thoughts; the next one is read accordingly.

        Nothing is learnt without `thoughts`. Raises ModelReplyEmpty where they were nothing else.
        """
        if thoughts is None:
            return completed
        if thoughts.missing:  # it answers at once, now and then or from now on
            self._mark = None
            return completed
        said = "".join(texts)
        mark = lone_end(said)
        # Of an answer to somebody who wrote the mark, nobody knows that it is no quotation.
        if mark is None or self._mark or _is_in_question(mark.group(), request):
            return completed
        self._mark = mark.group().lower()
        if not self._told:
            self._told = True
            _log.warning(
                "%s sends the thoughts of the model %s as its answer, and `%s` behind them: the prompt's template "
                "opens them. Canopy waits for that mark from now on; better, let the server separate them.",
                *(self._server, request.model, self._mark),
            )
        answer = said[mark.end() :].lstrip()
        if not answer:
            raise empty(completed.finish_reason, thought=True)
        return replace(completed, thoughts=len(said) - len(answer))


def _is_in_question(mark: str, request: ChatRequest) -> bool:
    return any(mark.lower() in turn.content.lower() for turn in request.messages if turn.role != "system")
