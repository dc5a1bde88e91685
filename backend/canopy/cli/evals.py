"""`canopy evals`: from bad answers to a gate."""

import click


@click.group()
def evals() -> None:
    """Test what the backend answers, and say whether it is good enough."""
