"""How many questions may be asked."""


class Budget:
    """A hard limit on questions; None sets none. What could not be asked is given back."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.spent = 0

    @property
    def left(self) -> int | None:
        """Questions that may still be asked; None: any number."""
        return None if self.limit is None else self.limit - self.spent

    def spend(self) -> bool:
        """Take one, if there is one."""
        if self.left == 0:
            return False
        self.spent += 1
        return True

    def refund(self) -> None:
        """Give one back."""
        self.spent -= 1
