"""Limits how many questions the judges of a run may ask."""


class Budget:
    """Counts questions against a hard limit; None is no limit. A question that could not be asked is refunded."""

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
