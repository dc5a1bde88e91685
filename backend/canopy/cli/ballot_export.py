"""`canopy ab export`: the ballots of an experiment, for whoever wants to count them again."""

import secrets
import sys
import time
from pathlib import Path
from typing import Any

import click

from canopy.cli.common import pluralize, read_settings, report_errors, with_store
from canopy.cli.terminal import progress, say

_SHORTEST_SALT = 16  # characters


@click.command("export")
@click.option("--experiment", "experiment_id", help="An experiment's id.  [the one used last]")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; else the screen.")
@click.option("--until", help="Only ballots first cast until this day (included) or before this time.  [all]")
@click.option(
    "--salt",
    help="A secret of 16 characters or more that goes into the hashes, so that exports with the same one can be "
    "joined.  [another one each time]",
)
@report_errors
def export_ballots(experiment_id: str | None, output: Path | None, until: str | None, salt: str | None) -> None:
    """Write what an experiment's counts rest on, for an auditor: one line a ballot, in the order of time.

    JSON lines, straight from the store: when each ballot was cast, what it said first, whether it is its voter's
    first, what it says now, where Prompt B stood. No texts, no comments, and no ids: voters and comparisons are hashes.
    Who verifies a promotion counts again, and compares with its evidence.

    The hashes are salted anew for each export, since a hash without a secret in it is as good as the name: whoever has
    a list of names can hash them all and look. With --salt two exports have the same hashes, so that a later one can be
    joined with an earlier one; whoever knows the salt can try names, so keep it as you keep a password.

    \b
    Examples:
      canopy ab export -o ballots.jsonl
      canopy ab export --experiment exp_0123456789abcdef --until 2026-01-31
    """
    from canopy.base.errors import ConfigError
    from canopy.experiments.ballot_file import BallotFileWriter
    from canopy.experiments.report import selected_experiment
    from canopy.feedback.filters import parse_until

    if salt is not None and len(salt) < _SHORTEST_SALT:
        raise click.BadParameter("A salt has 16 characters or more, or else it can be guessed.", param_hint="--salt")
    now = time.time_ns() // 1000
    end = parse_until(until) - 1 if until else None

    async def write(store: Any) -> int:
        experiment = selected_experiment(await store.experiments.all(), experiment_id)
        if experiment is None:
            raise ConfigError("Nobody has compared two variants yet: there is no ballot to export.")
        key = secrets.token_bytes(32) if salt is None else salt.encode()
        file = BallotFileWriter(experiment, key, given=salt is not None, exported_at=now, until=end)
        waiting = await store.ballot_history.voters_with_earlier_ballots(experiment.id)
        length = (await store.experiments.ballot_counts(experiment.id)).ballots
        written = 0
        mixed = output is None and sys.stdout.isatty()  # the lines are progress enough
        with click.open_file(str(output or "-"), "wb") as out, progress(length, "Ballots", hidden=mixed) as advance:
            out.write(file.begin(waiting))
            async for ballots in store.ballot_history.pages(experiment.id, end):
                out.write(file.write(ballots))
                written += len(ballots)
                advance(len(ballots))
            out.write(file.end())
        return written

    written = with_store(read_settings(), write)
    if output:
        say(f"Wrote {output} ({pluralize(written, 'ballot')}).", err=True)
