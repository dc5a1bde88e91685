"""`canopy evals`: from bad answers to a gate."""

import click

from canopy.cli.evals_merge import merge
from canopy.cli.evals_pipeline import gate, list_suites, publish, report
from canopy.cli.evals_review import review
from canopy.cli.evals_run import run
from canopy.cli.evals_speed import speed


@click.group()
def evals() -> None:
    """Test what the backend answers, and say whether it is good enough."""


for _command in (run, list_suites, gate, report, publish, review, merge, speed):
    evals.add_command(_command)
