"""`canopy export`, `canopy prune` and `canopy erase`: read and delete what is stored."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from canopy.cli.common import microseconds_in, pluralize, read_config, read_settings, report_errors, with_store
from canopy.cli.terminal import say

if TYPE_CHECKING:
    from canopy.store.feedback.query import Sources


@click.command()
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; else the screen.")
@click.option("--rating", help="A rating, or positive, neutral, negative.  [negative]")
@click.option("--feature", help="The feature that the suite tests.  [summarize]")
@click.option("--score", help="A score from 1 to 5, or a range such as 1-2.")
@click.option("--prompt-id", help="Only responses of this prompt version.")
@click.option("--model", help="Only responses of this model.")
@click.option("--label", help="Only responses that a judge labelled so.")
@click.option("--reason", help="Only votes that give this category as a reason.")
@click.option("--comment", type=click.Choice(["with", "without"]), help="Only votes with a comment, or without.")
@click.option("--q", "search", help="Only where this is in the text, the response or the comment.")
@click.option(
    "--source",
    type=click.Choice(["human", "judge", "any"]),
    default="any",
    show_default=True,
    help="Whose verdicts: people's votes, judges' labels, or both.",
)
@click.option("--since", help="From this day or time, such as 2026-01-31.")
@click.option("--until", help="Until this day (included) or before this time.")
@report_errors
def export(
    output: Path | None,
    source: "Sources",
    label: str | None,
    reason: str | None,
    comment: str | None,
    search: str | None,
    **counted: str | None,
) -> None:
    """Write bad answers as an evaluation dataset, straight from the store.

    The same YAML as GET /feedback/export. Fill in each `expected_result`, and name the file `*_tests.yaml` beside the
    evaluation suite's own: that is how the suite finds it.
    """
    from canopy.feedback import dataset
    from canopy.feedback.filters import parse_filter, parse_label, parse_reason, parse_search

    settings = read_settings()
    features = read_config(settings).features
    where = replace(
        parse_filter(features, **counted),
        source=source,
        label=parse_label(label),
        reason=parse_reason(reason),
        commented=None if comment is None else comment == "with",
        search=parse_search(search),
    )

    async def write(store: Any) -> int:
        size = 0
        with click.open_file(str(output or "-"), "wb") as file:
            async for chunk in dataset.export(store.reviews, where, features):
                size += file.write(chunk)
        return size

    size = with_store(settings, write)
    if output:
        say(f"Wrote {output} ({size:,} bytes).", err=True)


@click.command()
@click.option("--older-than", required=True, help="Age such as 90d, 12w or 36h.")
@report_errors
def prune(older_than: str) -> None:
    """Delete generations, feedback and comparisons older than an age, and everything derived from them.

    CANOPY_RETENTION_DAYS makes the server do it by itself once an hour.
    """
    before = time.time_ns() // 1000 - microseconds_in(older_than, "--older-than")
    _report(with_store(read_settings(), lambda store: store.deletion.prune(before)))


@click.command()
@click.option("--user", "user_id", help="The user's id.")
@click.option("--session", "session_id", help="The session's id.")
@report_errors
def erase(user_id: str | None, session_id: str | None) -> None:
    """Delete everything of one user or one session: generations, the feedback on them, feedback given, comparisons."""
    if bool(user_id) == bool(session_id):
        raise click.UsageError("Give either --user or --session.")
    settings = read_settings()
    mlflow = read_config(settings).values.mlflow
    _report(
        with_store(settings, lambda store: store.deletion.erase(user_id=user_id or None, session_id=session_id or None))
    )
    if mlflow.enabled:
        say("Traces with their texts stay in MLflow; delete them there.", err=True)


def _report(erased: Any) -> None:
    generations, votes = pluralize(erased.generations, "generation"), pluralize(erased.feedback, "vote")
    tested = f" Evaluations had {pluralize(erased.evaluations, 'generation')} more." if erased.evaluations else ""
    say(f"Deleted {generations}, {votes} and {pluralize(erased.comparisons, 'comparison')}.{tested}")
