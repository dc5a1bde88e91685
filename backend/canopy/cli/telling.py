"""Tells a server of the evidence of commits. A server that can't be told doesn't undo a commit."""

from typing import TYPE_CHECKING

from canopy.base.errors import ConfigError
from canopy.cli.terminal import say

if TYPE_CHECKING:
    from canopy.gitops.handover import HandedOver
    from canopy.gitops.repository import Repository
    from canopy.gitops.server import Server


def tell_of(server: "Server | None", repository: "Repository", made: "HandedOver | None") -> None:
    """Tell the server of what was committed; where there is none, or it can't be told, say what to run later."""
    from canopy.gitops.verification import verify

    if made is None:
        return
    later = f"canopy verify {made.revision[:10]} --backend"
    if server is None:
        say(f"To show it on the dashboard: {later} URL")
        return
    try:
        server.tell(verify(repository, made.revision))
    except ConfigError as error:
        say(f"The server doesn't know of it yet. {error.sentence} Tell it later: {later} {server.url}")
    else:
        say(f"The server shows its evidence: {server.url}/promotions")
