"""`make loop`, which is `python -m tools.loop`: plays the circle in a folder that is gone afterwards."""

import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import click

from canopy.cli.terminal import say
from tools.loop.interrupts import EndedError, end_by_signals, ignore_signals
from tools.loop.stage import Stage
from tools.loop.story import Story
from tools.loop.surroundings import prepare, require

_GOODBYE = """
That was the circle. With your own values:

  make run CONFIG=my-values.yaml        a server with them, at http://127.0.0.1:8000
  canopy ab start, promote, rollback    as above, on a values file in your repository
  docs/promotion.md                     pull requests, what stops a promotion, evidence
"""


@click.command()
@click.option(
    "--speed", type=click.FloatRange(0, 100), default=1, help="2 plays twice as fast; 0 waits for nothing but the work."
)
@click.option("--model-server", metavar="URL", help="A model server.  [the embedded model]")
def loop(speed: float, model_server: str | None) -> None:
    """Play the whole circle, from votes through Git to production and back, in about three minutes."""
    require()
    end_by_signals()
    try:
        folder = Path(tempfile.mkdtemp(prefix="canopy-loop-"))
    except OSError as error:
        raise click.ClickException(f"The loop needs a temporary folder: {error}.") from error
    stage, ended = None, 0
    try:
        environment = prepare(folder)
        stage = Stage(environment, speed)
        server = Story(stage, folder, environment, model_server).play()
        say(_GOODBYE)
        if speed and sys.stdin.isatty() and sys.stdout.isatty():
            say(f"Until you press Enter the server stays, for you to look around: {server.url}/feedback ", nl=False)
            with suppress(EOFError):
                input()
    except EndedError as error:
        ended = error.number
    finally:
        ignore_signals()
        if stage:
            stage.close()
        shutil.rmtree(folder, ignore_errors=True)
    if ended:
        say("\nEnded. Nothing of it is left.", err=True)
        sys.exit(128 + ended)


if __name__ == "__main__":
    loop()
