"""Are the users satisfied, and which prompt do they prefer."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from tools.dashboards.parts import LINES, LOKI, PROMETHEUS, board, graph, lines, number, row

_MINE = 'namespace="$namespace"'
# Ratings of one's own have their sentiment in the values, where no query sees it.
_GOOD = f'{_MINE}, rating=~"thumbs_up|4|5"'
_BAD = f'{_MINE}, rating=~"thumbs_down|1|2"'
_DECIDED = f'{_MINE}, rating=~"thumbs_up|thumbs_down|1|2|4|5"'


def dashboard() -> Dashboard:
    """Canopy: Feedback and A/B."""
    made = board(
        "Canopy: Feedback and A/B",
        "canopy-feedback",
        "Votes and comparisons as the metrics count them; the page /feedback has the texts and the statistics.",
        PROMETHEUS,
        LOKI,
    )
    return _log(_comparisons(_votes(made)))


def _satisfaction(window: str, by: str = "") -> str:
    grouped = f"sum by ({by})" if by else "sum"
    return (
        f"{grouped} (increase(canopy_feedback_total{{{_GOOD}}}[{window}])) "
        f"/ ({grouped} (increase(canopy_feedback_total{{{_DECIDED}}}[{window}])) > 0)"
    )


def _votes(made: Dashboard) -> Dashboard:
    votes = f"canopy_feedback_total{{{_MINE}}}"
    return (
        made.with_row(row("Votes"))
        .with_panel(number("Satisfaction", "percentunit", _satisfaction("$__range"), text="Good among good and bad."))
        .with_panel(number("Votes", "short", f"sum(increase({votes}[$__range]))"))
        .with_panel(number("Bad votes", "short", f"sum(increase(canopy_feedback_total{{{_BAD}}}[$__range]))"))
        .with_panel(
            number(
                "Votes per summary",
                "percentunit",
                f"sum(increase({votes}[$__range])) "
                f'/ sum(increase(canopy_generations_total{{{_MINE}, status="completed"}}[$__range]))',
            )
        )
        .with_panel(
            number(
                "Requests to vote",
                "short",
                f'sum(http_server_request_count{{http_route="/feedback", http_request_method="POST", {_MINE}}})',
                text="Since the pods started, refused ones too.",
            )
        )
        .with_panel(number("Taken back", "short", f"sum(increase(canopy_feedback_deleted_total{{{_MINE}}}[$__range]))"))
        .with_panel(graph("Votes per hour", "short", (f"sum by (rating) (increase({votes}[1h]))", "{{rating}}")))
        .with_panel(
            graph("Satisfaction", "percentunit", (_satisfaction("6h"), "6 hours"), (_satisfaction("3d"), "3 days"))
        )
        .with_panel(
            graph("Satisfaction by prompt, 1 day", "percentunit", (_satisfaction("1d", "prompt_id"), "{{prompt_id}}"))
        )
    )


def _comparisons(made: Dashboard) -> Dashboard:
    ballots = f"canopy_ab_preferences_total{{{_MINE}}}"
    decisive = f'canopy_ab_preferences_total{{{_MINE}, winner=~"prompt|prompt_b"}}'
    for_b = f'canopy_ab_preferences_total{{{_MINE}, winner="prompt_b"}}'
    return (
        made.with_row(row("Comparisons"))
        .with_panel(number("Ballots", "short", f"sum(increase({ballots}[$__range]))"))
        .with_panel(
            number(
                "Prompt B preferred",
                "percentunit",
                f"(sum(increase({for_b}[$__range])) or vector(0)) / sum(increase({decisive}[$__range]))",
                text="Of all ballots that decided. Whether that proves anything, `canopy ab report` says.",
            )
        )
        .with_panel(graph("Ballots per hour", "short", (f"sum by (winner) (increase({ballots}[1h]))", "{{winner}}")))
        .with_panel(
            graph("Won, by prompt", "short", (f"sum by (prompt_id) (increase({decisive}[$__range]))", "{{prompt_id}}"))
        )
    )


def _log(made: Dashboard) -> Dashboard:
    return (
        made.with_row(row("Log"))
        .with_panel(
            lines(
                "Bad votes",
                f'{LINES} |= `feedback_submitted` | json | event="feedback_submitted" | rating="thumbs_down"',
            )
        )
        .with_panel(lines("Votes", f'{LINES} |= `feedback_submitted` | json | event="feedback_submitted"'))
        .with_panel(lines("Ballots", f'{LINES} |= `ab_preference_submitted` | json | event="ab_preference_submitted"'))
    )
