"""Which Git commit the values are of, as whoever deploys them says it in a file of its own.

It isn't in the values file: there each commit, also one that changes nothing of the values, would make a new revision.
"""

import re
from pathlib import Path

GIT_REVISION_FILE = "git-revision"  # beside the values file; the chart's ConfigMap has it as a second key
_REVISION = re.compile(r"[0-9a-f]{7,64}")
_LONGEST = 100  # bytes that are read


def read_git_revision(values: Path | None) -> str | None:
    """Return the commit that the file beside a values file names; None without one, or if it names none."""
    if values is None:
        return None
    try:
        with values.with_name(GIT_REVISION_FILE).open("rb") as file:
            said = file.read(_LONGEST).decode("ascii", errors="replace").strip().lower()
    except OSError:
        return None
    return said if _REVISION.fullmatch(said) else None
