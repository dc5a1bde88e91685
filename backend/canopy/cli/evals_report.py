"""`canopy evals report`: the pages of a run, made again."""

from pathlib import Path

import click

from canopy.cli.common import report_errors
from canopy.cli.terminal import say


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write to.  [the one that RESULTS is in]",
)
@report_errors
def report(results: Path, output: Path | None) -> None:
    """Make report.html and junit.xml again from RESULTS, the results.json of a run.

    For results that somebody sent, and for those of an older Canopy. Nothing is asked of a backend or a judge.

    \b
    Examples:
      canopy evals report results.json
      canopy evals report main/results.json -o /tmp/report
    """
    from canopy.evals.report import html, junit
    from canopy.evals.results import load

    run = load(results)
    folder = output or results.parent
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("report.html", html.render(run).encode()), ("junit.xml", junit.render(run))):
        (folder / name).write_bytes(content)
        say(folder / name)
