"""`canopy outbox`: deliveries to MLflow that wait or were refused."""

import time
from typing import TYPE_CHECKING

import click

from canopy.cli.common import pluralize, read_settings, report_errors, with_store
from canopy.cli.terminal import say

if TYPE_CHECKING:
    from canopy.store.outbox.deliveries import WaitingDelivery


@click.group()
def outbox() -> None:
    """See what waits for MLflow, and send again what it refused."""


@outbox.command("list")
@click.option("--waiting", is_flag=True, help="What still waits for its turn, instead of what is parked.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Most lines.")
@report_errors
def list_(limit: int, *, waiting: bool) -> None:
    """List what was parked because MLflow will not take it, longest waiting first.

    Each line has the id, the trace at MLflow, how long it has waited, how often it failed, and why.
    """
    rows = with_store(read_settings(), lambda store: store.outbox.waiting(limit, parked=not waiting))
    for row in rows:
        say(_line(row))
    say(f"{pluralize(len(rows), 'subject')} {'waiting' if waiting else 'parked'}.", err=True)


@outbox.command()
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Everything that is parked.")
@report_errors
def retry(ids: tuple[str, ...], *, everything: bool) -> None:
    """Send parked subjects again, by their IDS from `canopy outbox list`, or --all.

    The running server does it, within a second or two.
    """
    if bool(ids) == everything:
        raise click.UsageError("Give either ids or --all.")
    n = with_store(read_settings(), lambda store: store.outbox.retry(None if everything else ids))
    say(f"{pluralize(n, 'subject')} will be sent again.")
    if len(set(ids)) > n:
        raise click.ClickException("The others are not parked; `canopy outbox list` shows what is.")


def _line(row: "WaitingDelivery") -> str:
    from canopy.base.ids import MLFLOW_TRACE_PREFIX

    trace = f"{MLFLOW_TRACE_PREFIX}{row.trace_id}"
    hours = (time.time() - row.waiting_since / 1e6) / 3600
    failures = pluralize(row.failures, "failure")
    return f"{row.subject}  {trace}  {hours:,.1f} h  {failures}  {row.problem or 'not tried yet'}"
