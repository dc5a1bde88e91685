"""What a judge has not looked at, and its turn to do so.

A turn is taken before the model is asked, so that two processes never ask the same. It ends with or without a label, or
is given back, or its lease runs out, after which somebody else may take it.
"""

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from canopy.store.feedback.vote import Receipt, Vote


class Unjudged(NamedTuple):
    """A generation that one judge, in one version, has not judged."""

    created_at: int
    generation_id: str


class JudgementLease(NamedTuple):
    """One judge's turn on one generation.

    `version` changes with all that the label depends on, and each version has a turn of its own. `owner` is whoever
    took the turn: what comes from anybody else changes nothing.
    """

    generation_id: str
    judge: str
    version: str
    owner: str
    lease: int  # microseconds


class Turns(Protocol):
    """What is done here holds for every process at once."""

    async def unjudged(
        self, judge: str, version: str, since: int, after: Unjudged | None, limit: int
    ) -> list[Unjudged]:
        """The next complete generations since a time, oldest first, on which nobody has this judge's turn.

        `after` is the last one of the page before. Sides of comparisons without a ballot and evaluations are left out.
        """

    async def take(self, turn: JudgementLease) -> bool:
        """Whether the turn could be taken: nobody has it, its last lease has run out, and it has not ended."""

    async def end(self, turn: JudgementLease, vote: "Vote | None") -> "Receipt | None":
        """End a turn for good: with a label, which is stored, or without, where no answer could be used.

        None without a label, and where the turn is somebody else's by now; then nothing is stored.
        """

    async def give_back(self, turn: JudgementLease) -> None:
        """Let anybody take a turn that has not ended."""

    async def reopen_unlabelled(self, judge: str, version: str, since: int) -> int:
        """Let turns be taken again that ended without a label, on generations since a time; how many there were."""
