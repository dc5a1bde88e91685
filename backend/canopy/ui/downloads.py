"""View models of files to download, in the browser or from a terminal."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from canopy.feedback.files import NAMES
from canopy.ui.filter_links import address

_PATH = "/feedback/file"


def curl_command(url: str, file: str, mode: str) -> str:
    """Return the command that saves what is at `url`. In the mode `token` a variable of the shell has the token."""
    token = ' -H "Authorization: Bearer $CANOPY_TOKEN"' if mode == "token" else ""
    return f"curl -fsS{token} {shlex.quote(url)} -o {shlex.quote(file)}"


@dataclass(frozen=True, slots=True)
class FileView:
    """Holds the ways to a selection of votes as a file."""

    csv_href: str
    csv_name: str
    json_href: str
    json_name: str
    curl: str

    @classmethod
    def of(cls, query: Mapping[str, str], origin: str, mode: str) -> Self:
        """Return the view of the votes that a query of the entries selects; `origin` is the server's own address."""
        json_href = address(_PATH, {**query, "format": "json"})
        return cls(
            csv_href=address(_PATH, {**query, "format": "csv", "bom": "true"}),
            csv_name=NAMES["csv"],
            json_href=json_href,
            json_name=NAMES["json"],
            curl=curl_command(origin + json_href, NAMES["json"], mode),
        )
