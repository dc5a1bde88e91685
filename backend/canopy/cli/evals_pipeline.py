"""`canopy evals list`, `gate`, `report` and `publish`: the steps before and after `canopy evals run`."""

from functools import partial
from pathlib import Path

import click

from canopy.cli.common import pluralize, read_settings, report_errors
from canopy.cli.evals_run import EXIT_STATUS
from canopy.cli.terminal import say, say_json


@click.command("list")
@click.argument("folder", type=click.Path(path_type=Path))
@partial(report_errors, status=2)
def list_suites(folder: Path) -> None:
    """Say which suites `canopy evals run FOLDER` would find, and how many of their cases await review.

    Reads all of them and calls nobody, so it tells early that a file is wrong.
    """
    from canopy.evals.run.plan import read_parts

    for part in read_parts(folder):
        suite = part.suite
        waiting = sum(not case.reviewed for case in suite.cases)
        note = f", {waiting:,} awaiting review" if waiting else ""
        note += f", {suite.placeholders:,} without a prompt left out" if suite.placeholders else ""
        say(f"{part.path}: {suite.name}, {pluralize(len(suite.cases), 'case')}{note}")


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--show", metavar="NAME", help="Only `verdict` or one of the figures, such as `pass_rate`; for scripts.")
@click.option("--json", "as_json", is_flag=True, help="The verdict and all figures; for programs.")
@partial(report_errors, status=2)
def gate(results: Path, show: str | None, *, as_json: bool) -> None:
    """Say again what the gate said of a run.

    RESULTS is a results.json or its folder. Exit status 0 passed, 1 failed, 2 undecided, as after an interrupted run;
    with --show and --json it is 0 whatever the verdict.

    \b
    Examples:
      canopy evals gate reports/
      canopy evals gate reports/ --show pass_rate
    """
    from canopy.evals.report.overview import figures
    from canopy.evals.results import load

    run = load(_file(results))
    verdict = run.gate.verdict if run.gate else "undecided"
    if show:
        say({"verdict": verdict, **figures(run)}.get(show, ""))
        return
    if as_json:
        say_json({"verdict": verdict, "figures": figures(run)})
        return
    if run.gate is None:
        say("The run was interrupted, so there is no verdict. `canopy evals run … --resume` goes on with it.")
    else:
        say(run.gate.sentence)
        for check in run.gate.checks:
            say(f"  {'held  ' if check.passed else 'missed'}  {check.sentence}")
    click.get_current_context().exit(EXIT_STATUS[verdict])


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


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--to", "address", help="Where the reports go, such as s3://BUCKET/PREFIX.")
@click.option("--mlflow", "url", help="MLflow's address, such as http://mlflow:5000.")
@click.option("--experiment", default="canopy-evals", show_default=True, help="MLflow's experiment.")
@report_errors
def publish(results: Path, address: str | None, url: str | None, experiment: str) -> None:
    """Keep a run's reports in object storage, and its figures in MLflow.

    RESULTS is the folder that `canopy evals run --output` wrote. The storage's credentials are in AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY, its address in AWS_ENDPOINT_URL when it isn't Amazon's; MLflow's token is in
    CANOPY_MLFLOW_TOKEN, its workspace in CANOPY_MLFLOW_WORKSPACE or MLFLOW_WORKSPACE. The same run can be published
    again: it replaces itself.

    \b
    Examples:
      canopy evals publish reports/ --to s3://evals/canopy
      canopy evals publish reports/ --mlflow http://mlflow:5000
    """
    from canopy.evals.publish.mlflow_run import log_to_mlflow
    from canopy.evals.publish.object_storage import upload
    from canopy.evals.results import load

    if not address and not url:
        raise click.UsageError("Say where to: --to s3://BUCKET/PREFIX, --mlflow URL, or both.")
    file = _file(results)
    run = load(file)
    if address:
        say(upload(file.parent, address, run.id))
    if url:
        headers = read_settings().mlflow_headers
        say(log_to_mlflow(run, file.parent, url=url, experiment=experiment, headers=headers))


def _file(results: Path) -> Path:
    return results / "results.json" if results.is_dir() else results
