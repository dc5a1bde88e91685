"""Are the users satisfied, and which prompt do they prefer."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from tools.dashboards.parts import LINES, LOKI, PROMETHEUS, board, feature, graph, lines, number, row, with_changes

_HERE = 'namespace="$namespace"'
_CHOSEN = 'feature=~"$feature"'
_MINE = f"{_HERE}, {_CHOSEN}"
_VOTES = f'{LINES} |= `feedback_submitted` | json | event="feedback_submitted" | {_CHOSEN}'
_BALLOTS = f'{LINES} |= `ab_preference_submitted` | json | event="ab_preference_submitted" | {_CHOSEN}'
_GOOD = 'sentiment="positive"'
_BAD = 'sentiment="negative"'
_OWN = 'prompt_id!=""'  # on responses that Canopy made


def dashboard() -> Dashboard:
    """Canopy: Feedback and A/B."""
    made = board(
        "Canopy: Feedback and A/B",
        "canopy-feedback",
        "Votes and comparisons as the metrics count them; the page /feedback has the texts and the statistics.",
        PROMETHEUS,
        LOKI,
    ).with_variable(feature())
    return _log(_comparisons(_votes(with_changes(made, _MINE))))


def _in_force(window: str, *labels: str, by: str = "") -> str:
    """Votes committed less those taken back or changed, never below 0."""
    grouped = f"sum by ({by})" if by else "sum"
    of = ", ".join((_MINE, *labels))
    committed = f"{grouped} (increase(canopy_feedback_total{{{of}}}[{window}]))"
    taken_back = f"{grouped} (increase(canopy_feedback_deleted_total{{{of}}}[{window}]))"
    return f"clamp_min({committed} - ({taken_back} or 0 * {committed}), 0)"


def _satisfaction(window: str, by: str = "") -> str:
    good, bad = (_in_force(window, rating, _OWN, by=by) for rating in (_GOOD, _BAD))
    decided = f"(({good} or 0 * {bad}) + ({bad} or 0 * {good}))"
    return f"({good} or 0 * {bad}) / ({decided} > 0)"


def _votes(made: Dashboard) -> Dashboard:
    votes = f"canopy_feedback_total{{{_MINE}}}"
    text = "Good among good and bad, on Canopy's own responses."
    return (
        made.with_row(row("Votes"))
        .with_panel(number("Satisfaction", "percentunit", _satisfaction("$__range"), text=text))
        .with_panel(number("Votes", "short", _in_force("$__range")))
        .with_panel(number("Bad votes", "short", _in_force("$__range", _BAD)))
        .with_panel(
            number(
                "Votes on other texts",
                "short",
                _in_force("$__range", 'prompt_id=""'),
                text="On texts that Canopy didn't make. They are no part of the satisfaction.",
            )
        )
        .with_panel(
            number(
                "Votes per answer",
                "percentunit",
                f"{_in_force('$__range', _OWN)} "
                f'/ sum(increase(canopy_generations_total{{{_MINE}, status="completed"}}[$__range]))',
            )
        )
        .with_panel(
            number(
                "Requests to vote",
                "short",
                f'sum(http_server_request_count{{http_route="/feedback", http_request_method="POST", {_HERE}}})',
                text="Since the pods started, refused ones too, on every feature.",
            )
        )
        .with_panel(
            number(
                "Taken back or changed", "short", f"sum(increase(canopy_feedback_deleted_total{{{_MINE}}}[$__range]))"
            )
        )
        .with_panel(graph("Votes per hour", "short", (f"sum by (rating) (increase({votes}[1h])) > 0", "{{rating}}")))
        .with_panel(
            graph("Satisfaction", "percentunit", (_satisfaction("6h"), "6 hours"), (_satisfaction("3d"), "3 days"))
        )
        .with_panel(
            graph("Satisfaction by feature, 1 day", "percentunit", (_satisfaction("1d", "feature"), "{{feature}}"))
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
        .with_panel(lines("Bad votes", f"{_VOTES} | {_BAD}"))
        .with_panel(lines("Votes", _VOTES))
        .with_panel(lines("Ballots", _BALLOTS))
    )
