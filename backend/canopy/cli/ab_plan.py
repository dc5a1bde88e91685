"""`canopy ab plan`: how long an experiment takes."""

import click

from canopy.cli.common import read_settings, report_errors
from canopy.cli.terminal import say, say_json, style


@click.command()
@click.option("--backend", required=True, metavar="URL", help="The server that counts the votes.")
@click.option("--feature", metavar="NAME", help="Whose prompts are compared.  [the one that compares]")
@click.option("--json", "as_json", is_flag=True, help="For programs: what GET /experiments/plan answers.")
@report_errors
def plan(backend: str, feature: str | None, *, as_json: bool) -> None:
    """Say how long an experiment takes until a decision, before it begins and while it runs.

    By the votes of the last four weeks on that server, and by the decision rule: the range in brackets is what eight of
    ten experiments take, few votes at the fastest pace to many at the slowest.

    \b
    Examples:
      canopy ab plan --backend http://127.0.0.1:8000
      canopy ab plan --backend http://127.0.0.1:8000 --feature translate --json
    """
    from canopy.cli.text_charts import paragraph
    from canopy.gitops.server import Server

    found = Server(backend.rstrip("/"), read_settings().backend_bearer_token).plan(feature)
    if as_json:
        say_json(found)
        return
    about = (
        f"Experiment {found['experiment']} of {found['feature']}"
        if found["open"]
        else f"The next experiment of {found['feature']}"
    )
    say(style(about, bold=True))
    for sentence in (found["sentence"], *found["more"]):
        say(paragraph(sentence))
