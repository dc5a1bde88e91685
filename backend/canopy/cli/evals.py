"""`canopy evals`: from bad answers to a gate."""

import click

from canopy.cli.evals_report import report


@click.group()
def evals() -> None:
    """Test what the backend answers, and say whether it is good enough."""


evals.add_command(report)
