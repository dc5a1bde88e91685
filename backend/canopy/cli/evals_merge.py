"""`canopy evals merge`: new feedback into a file that people have reviewed."""

from pathlib import Path
from typing import BinaryIO

import click

from canopy.cli.common import pluralize, report_errors
from canopy.cli.terminal import say

_LISTED = 10  # conflicts that are named


@click.command(options_metavar="")
@click.argument("export", type=click.File("rb"))
@click.argument("into", nargs=-1, required=True, metavar="[into] FILE")
@report_errors
def merge(export: BinaryIO, into: tuple[str, ...]) -> None:
    """Merge a new EXPORT of feedback into the FILE that you have reviewed.

    What somebody wrote into FILE is never lost, and its comments, order and layout stay. New cases go to its end. Cases
    whose votes were taken back go, unless they are reviewed or written by hand. What was reviewed in the browser comes
    along; where FILE has another text of its own, FILE's stays and you are told. FILE is made if it isn't there; EXPORT
    may be `-`.

    \b
    Example:
      curl -s http://127.0.0.1:8000/feedback/export | canopy evals merge - into canopy-evals/Summary/feedback_tests.yaml
    """
    from canopy.base.atomic_files import replace_file
    from canopy.evals.suites.editing import EditableSuite
    from canopy.evals.suites.merge import merge as merged
    from canopy.evals.suites.merge import new_suite
    from canopy.text.visible import excerpt
    from canopy.text.yaml_loader import read_open

    *word, name = into
    if word not in ([], ["into"], ["INTO"]):
        raise click.UsageError("Name one file to merge into: canopy evals merge EXPORT into FILE.")
    path = Path(name)
    new = EditableSuite.of(read_open(export, export.name), export.name)
    document = EditableSuite.read(path) if path.exists() else None
    result = new_suite(new) if document is None else merged(document, new)
    if document is None or result.text != document.text:
        replace_file(path, result.text.encode())
    filled = f" ({result.filled:,} filled in from the browser)" if result.filled else ""
    say(
        f"{path}: {result.added:,} added, {result.removed:,} removed, {result.kept:,} kept{filled}, "
        f"{pluralize(len(result.conflicts), 'conflict')}."
    )
    if result.conflicts:
        say("Reviewed both there and in the browser, differently; the file's text stays:")
        for prompt in result.conflicts[:_LISTED]:
            say(f"  {excerpt(prompt, 90)}")
        if len(result.conflicts) > _LISTED:
            say(f"  and {len(result.conflicts) - _LISTED:,} more")
