"""What no test runs, by folder: the share of lines and branches that ran, and the lines that did not."""

import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import orjson


@dataclass(slots=True)
class _Folder:
    """What is there to run in a folder, and what ran."""

    there: int = 0  # statements, and ways out of a branch
    ran: int = 0
    missing: list[str] = field(default_factory=list)  # files with the lines of theirs that nothing ran


def report(found: dict[str, Any]) -> str:
    """A line for each folder below the package, the least tested first, and below it what is missing."""
    folders: defaultdict[str, _Folder] = defaultdict(_Folder)
    for name, file in sorted(found["files"].items()):
        parts = PurePath(name).parts
        within = parts[parts.index("canopy") + 1 :]
        folder = folders[within[0] if len(within) > 1 else "."]
        figures = file["summary"]
        folder.there += figures["num_statements"] + figures["num_branches"]
        folder.ran += figures["covered_lines"] + figures["covered_branches"]
        if file["missing_lines"]:
            folder.missing.append(f"  {'/'.join(within)}: {', '.join(map(str, file['missing_lines']))}")
    lines = []
    for name, folder in sorted(folders.items(), key=lambda each: each[1].ran / (each[1].there or 1)):
        lines += [f"{folder.ran / (folder.there or 1):6.1%} of {folder.there:5} {name}", *folder.missing]
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(orjson.loads(sys.stdin.buffer.read())))  # noqa: T201 - a program's output
