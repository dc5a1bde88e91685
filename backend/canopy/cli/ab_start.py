"""`canopy ab start`: a new candidate goes into the values file, and people compare it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from canopy.base.errors import ConfigError
from canopy.cli.common import read_settings, report_errors
from canopy.cli.delivering import Wanted, delivery_of, delivery_options, hand_over, show_change, values_in
from canopy.cli.terminal import say

if TYPE_CHECKING:
    from canopy.gitops.server import Server
    from canopy.stats.sequential import DecisionRule


@click.command()
@click.option("--values", "path", required=True, metavar="FILE", help="The values file in a Git repository.")
@click.option("--prompt-b", metavar="TEXT", help="The candidate.")
@click.option(
    "--prompt-b-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The candidate, from a file.",
)
@click.option("--feature", default="summarize", show_default=True, help="Whose prompt it is to replace.")
@click.option("--name", metavar="TEXT", help="What the experiment is called.")
@click.option("--hypothesis", metavar="TEXT", help="What you expect of it, and why.")
@click.option("--backend", metavar="URL", help="The server, to say how long it may take.  [none]")
@delivery_options
@report_errors
def start(
    path: str,
    prompt_b: str | None,
    prompt_b_file: Path | None,
    feature: str,
    name: str | None,
    hypothesis: str | None,
    backend: str | None,
    **options: Any,
) -> None:
    """Put a candidate into the values file, and let people compare it with the current prompt.

    It takes the place of a candidate that is there. The experiment begins when the server has the values.

    \b
    Examples:
      canopy ab start --values gitops/canopy/test/backend/config.yaml --prompt-b "Summarize in two sentences:"
      canopy ab start --values config.yaml --prompt-b-file brief.txt --name "Brief summaries" --commit
    """
    from canopy.cli.text_charts import paragraph
    from canopy.gitops.message import subject_of
    from canopy.gitops.promotion import next_experiment, read_values, with_candidate
    from canopy.gitops.server import Server

    if (prompt_b is None) == (prompt_b_file is None):
        raise click.UsageError("Give the candidate with --prompt-b, or with --prompt-b-file.")
    if prompt_b_file is not None:
        try:
            prompt_b = prompt_b_file.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise ConfigError(f"{prompt_b_file} isn't UTF-8 text. Save it as UTF-8.") from error
    candidate = prompt_b or ""
    if not candidate.strip():
        raise ConfigError("The candidate is empty.")
    wanted = Wanted(**options)
    repository, file, content = values_in(path)
    values = read_values(content, file, feature)
    after = with_candidate(values, candidate, name=name, hypothesis=hypothesis)
    show_change(file, content, after)
    experiment = next_experiment(values, candidate)
    say()
    say(f"That is experiment {experiment}.")
    server = Server(backend.rstrip("/"), read_settings().backend_bearer_token) if backend else None
    for sentence in _how_long(values.rule, server, feature):
        say(paragraph(sentence))
    what = name or values.feature.title
    message = f"{subject_of(f'Compare a candidate for {what}')}\n\nExperiment {experiment}.\n"
    if hypothesis:
        message += f"Hypothesis: {' '.join(hypothesis.split())}\n"
    to = delivery_of(wanted, f"canopy/start-{experiment}", values.target_revision)
    hand_over(wanted, repository, {file: after}, message, to)


def _how_long(rule: "DecisionRule", server: "Server | None", feature: str) -> list[str]:
    """Say how many votes a decision takes and, by the server's votes, how many days."""
    from canopy.experiments.outlook import HELP, outlook_words, outlooks_of, pace_words
    from canopy.experiments.pace import Pace

    counted = server.plan(feature)["pace"] if server else None
    pace = Pace(**counted) if counted else None
    outlooks = outlooks_of(rule, pace)
    said = [pace_words(pace)] if server else []
    return [
        *said,
        *(outlook_words(it, pace) for it in outlooks),
        *([HELP] if any(it.too_long for it in outlooks) else []),
    ]
