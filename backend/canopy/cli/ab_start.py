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
@click.option("--prompt-b", metavar="TEXT", help="The candidate's prompt.")
@click.option(
    "--prompt-b-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The candidate's prompt, from a file.",
)
@click.option("--model-b", metavar="NAME", help="The candidate's model.  [the current one]")
@click.option(
    "--temperature-b", type=click.FloatRange(0, 2), metavar="NUMBER", help="Its temperature.  [the current one]"
)
@click.option(
    "--max-tokens-b", type=click.IntRange(1, 1_000_000), metavar="N", help="Its longest answer.  [the current one]"
)
@click.option("--feature", default="summarize", show_default=True, help="Of which feature it is.")
@click.option("--name", metavar="TEXT", help="What the experiment is called.")
@click.option("--hypothesis", metavar="TEXT", help="What you expect of it, and why.")
@click.option("--backend", metavar="URL", help="The server, to say how long it may take.  [none]")
@delivery_options
@report_errors
def start(
    path: str,
    prompt_b: str | None,
    prompt_b_file: Path | None,
    model_b: str | None,
    temperature_b: float | None,
    max_tokens_b: int | None,
    feature: str,
    name: str | None,
    hypothesis: str | None,
    backend: str | None,
    **options: Any,
) -> None:
    """Put a candidate into the values file, and let people compare it with what is in force.

    A candidate is a prompt, a model, parameters or several of these; what isn't given is the current one's. It takes
    the place of a candidate that is there. The experiment begins when the server has the values.

    \b
    Examples:
      canopy ab start --values gitops/canopy/test/backend/config.yaml --prompt-b "Summarize in two sentences:"
      canopy ab start --values config.yaml --prompt-b-file brief.txt --name "Brief summaries" --commit
      canopy ab start --values config.yaml --model-b granite --temperature-b 0.2 --name "Granite" --commit
    """
    from canopy.cli.text_charts import paragraph
    from canopy.gitops.message import subject_of
    from canopy.gitops.promotion import next_experiment, read_values, with_candidate, words_of_others
    from canopy.gitops.server import Server

    if prompt_b is not None and prompt_b_file is not None:
        raise click.UsageError("Give the candidate's prompt with --prompt-b, or with --prompt-b-file.")
    if prompt_b_file is not None:
        try:
            prompt_b = prompt_b_file.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise ConfigError(f"{prompt_b_file} isn't UTF-8 text. Save it as UTF-8.") from error
    if prompt_b is not None and not prompt_b.strip():
        raise ConfigError("The candidate's prompt is empty.")
    given = {"prompt": prompt_b, "model": model_b, "temperature": temperature_b, "max_tokens": max_tokens_b}
    candidate = {key: value for key, value in given.items() if value is not None}
    if not candidate:
        raise click.UsageError(
            "Give the candidate with --prompt-b or --prompt-b-file, --model-b, --temperature-b, --max-tokens-b."
        )
    wanted = Wanted(**options)
    repository, file, content = values_in(path)
    values = read_values(content, file, feature)
    after = with_candidate(values, candidate, name=name, hypothesis=hypothesis)
    show_change(file, content, after)
    if lost := words_of_others(values, name=name, hypothesis=hypothesis):
        keys, others = " and ".join(f"`{it}`" for it in lost), ", ".join(values.others_comparing)
        say(f"{keys}: the words are one for all features, and change for {others} as well (--name, --hypothesis).")
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
