"""What all errors share."""

from typing import ClassVar


class CanopyError(Exception):
    """The root: an HTTP status, a stable code for programs and a sentence for people.

    `retry_after` is in whole seconds and becomes the header `Retry-After`. `reason` is what another server said.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    told: ClassVar[str] = "The server said: “{}”."  # how the reason is

    def __init__(self, sentence: str, *, retry_after: int | None = None, reason: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after = retry_after
        self.reason = reason

    @property
    def in_full(self) -> str:
        """The sentence with what another server said, for people who may read that."""
        return f"{self.sentence} {self.told.format(self.reason)}" if self.reason else self.sentence
