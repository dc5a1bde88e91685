"""The command `canopy`.

A command imports the parts that it needs when it runs: `canopy --help` answers at once.
"""

import click

from canopy import __version__
from canopy.base import instrumentation
from canopy.cli.evals import evals
from canopy.cli.experiments import ab
from canopy.cli.feedback import erase, export, prune
from canopy.cli.judges import judge
from canopy.cli.migrate import migrate
from canopy.cli.outbox import outbox
from canopy.cli.promote import promote
from canopy.cli.rollback import rollback
from canopy.cli.serve import check_values, serve
from canopy.cli.terminal import Commands
from canopy.cli.verify import verify


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="canopy")
def main() -> None:
    """Summaries that learn from their users.

    The process is set by CANOPY_* environment variables, what it does by the values file (CANOPY_CONFIG_PATH).
    """
    instrumentation.uninstrument_libraries()


for _command in (
    serve,
    check_values,
    migrate,
    export,
    prune,
    erase,
    ab,
    evals,
    judge,
    outbox,
    promote,
    rollback,
    verify,
):
    main.add_command(_command)
