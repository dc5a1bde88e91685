"""Detects reasoning that the prompt's template opened: it ends with `<think>`, and the model sends only the end.

Before that end nothing tells such reasoning from an answer. So a model's first answer is shown as it comes, and what
turns out to be reasoning is removed from its record at the end; later answers are held back until the mark.
"""

import logging
from dataclasses import replace

from canopy.inference.protocol import ChatRequest, Completed, Deltas
from canopy.inference.reply_errors import empty_reply
from canopy.inference.thoughts import ThoughtFilter
from canopy.text.thoughts import lone_end

_log = logging.getLogger(__name__)


class PrefilledThoughts:
    """Remembers the mark that ends one model's reasoning on one server; `server` is its description, for the log."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._mark: str | None = None  # the mark that ends its reasoning, once seen
        self._told = False

    def thoughts(self) -> ThoughtFilter:
        """Return a filter for the model's next answer."""
        return ThoughtFilter(self._mark)

    def learn(
        self, thoughts: ThoughtFilter | None, request: ChatRequest, texts: Deltas, completed: Completed
    ) -> Completed:
        """Return `completed` with the length of the reasoning in `texts`, and remember the mark that ended it.

        Without `thoughts` nothing changes. Raises ModelReplyEmpty if there is only reasoning.
        """
        if thoughts is None:
            return completed
        if thoughts.missing:  # the model answered without reasoning
            self._mark = None
            return completed
        said = "".join(texts)
        mark = lone_end(said)
        # If the request holds the mark, the answer may be quoting it.
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
            raise empty_reply(completed.finish_reason, request.keys, thought=True)
        return replace(completed, thoughts=len(said) - len(answer))


def _is_in_question(mark: str, request: ChatRequest) -> bool:
    return any(mark.lower() in turn.content.lower() for turn in request.messages if turn.role != "system")
