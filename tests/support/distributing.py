"""Which tests a worker takes together: those of a file, and the files that share a server of which a start costs most.

Llama Stack, OGX and MLflow cost 10 to 20 s of CPU until they answer. Files that need one go to the same worker, one
after the other, and it starts once in a run.
"""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # it has no types

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer  # type: ignore[import-untyped]  # it has no types

# The fixtures, as tests ask for them.
_SHARED = re.compile(r"\b(?:(?P<mlflow>mlflow: MlflowServer)|(?P<stacks>stacks: Stacks))\b")


class TogetherScheduling(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """As `--dist loadfile`, but for such files."""

    def __init__(self, config: "pytest.Config", log: "Producer | None" = None) -> None:
        super().__init__(config, log)
        self._root = config.rootpath

    def _split_scope(self, nodeid: str) -> str:
        return together(self._root / nodeid.partition("::")[0])


@cache
def together(file: Path) -> str:
    """What the file's tests share with those for which this is the same: the file, or a fixture's name."""
    found = _SHARED.search(file.read_text()) if file.suffix == ".py" else None
    return str(found.lastgroup) if found else str(file)
