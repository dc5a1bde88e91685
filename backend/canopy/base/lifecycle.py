"""Whether this process takes work (starting, ready, draining), and where. Liveness doesn't ask."""

from typing import Literal


class Lifecycle:
    """The process's state."""

    def __init__(self) -> None:
        self.state: Literal["starting", "ready", "draining"] = "starting"
        self.address = ""

    def listen(self, address: str) -> None:
        """Tell the address that requests are taken at."""
        self.address = address

    def ready(self) -> None:
        """Take work, unless the end has come already."""
        if self.state == "starting":
            self.state = "ready"

    def drain(self) -> None:
        """Tell routers to send no more; what is open goes on."""
        self.state = "draining"
