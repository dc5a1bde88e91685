"""The process's readiness (starting, ready, draining) and its address."""

from typing import Literal


class Lifecycle:
    """The process's state."""

    def __init__(self) -> None:
        self.state: Literal["starting", "ready", "draining"] = "starting"
        self.address = ""

    def listen(self, address: str) -> None:
        """Set the address at which requests are served."""
        self.address = address

    def ready(self) -> None:
        """Become ready, unless draining has begun."""
        if self.state == "starting":
            self.state = "ready"

    def drain(self) -> None:
        """Become unready, so that routers send no more requests; open ones go on."""
        self.state = "draining"
