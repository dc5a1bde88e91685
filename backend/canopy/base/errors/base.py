"""The base class of all errors."""

from typing import ClassVar


class CanopyError(Exception):
    """The base class: an HTTP status, a stable code for programs and a sentence for people.

    `retry_after` is in whole seconds and becomes the header `Retry-After`. `reason` holds another server's own words.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    reason_format: ClassVar[str] = "The server said: “{}”."  # for `in_full`

    def __init__(self, sentence: str, *, retry_after: int | None = None, reason: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after = retry_after
        self.reason = reason

    @property
    def in_full(self) -> str:
        """Return the sentence with the other server's words, for people who may read those."""
        return f"{self.sentence} {self.reason_format.format(self.reason)}" if self.reason else self.sentence
