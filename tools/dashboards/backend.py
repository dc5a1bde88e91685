"""Is the backend healthy: its requests, the model behind it, its process, and what it complains about."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from tools.dashboards.parts import (
    HTTP,
    LINES,
    LOKI,
    PROMETHEUS,
    board,
    graph,
    lines,
    number,
    quantiles,
    row,
    with_changes,
)

_SECONDS = "http_server_request_duration_seconds"
_MINE = 'namespace="$namespace"'


def dashboard() -> Dashboard:
    """Canopy: Backend."""
    made = board("Canopy: Backend", "canopy-backend", "Requests, model calls and the process.", PROMETHEUS, LOKI)
    return _log(_mlflow(_process(_model(_requests(with_changes(made, _MINE))))))


def _requests(made: Dashboard) -> Dashboard:
    rate = f"sum(rate({_SECONDS}_count{{{HTTP}}}[$__rate_interval]))"
    errors = f'sum(rate({_SECONDS}_count{{{HTTP}, http_response_status_code=~"5.."}}[$__rate_interval]))'
    return (
        made.with_row(row("Requests"))
        .with_panel(number("Requests", "reqps", rate))
        .with_panel(number("Errors", "percentunit", f"({errors} or vector(0)) / {rate}", text="Statuses from 500 on."))
        .with_panel(number("Under way", "short", f"sum(http_server_active_requests{{{HTTP}}})"))
        .with_panel(number("Model calls under way", "short", f"sum(canopy_generations_in_flight{{{_MINE}}})"))
        .with_panel(number("Waiting for the model", "short", f"sum(canopy_generations_queued{{{_MINE}}})"))
        .with_panel(number("Pods", "short", f"count(canopy_build_info{{{_MINE}}})"))
        .with_panel(
            graph(
                "Requests by route",
                "reqps",
                (
                    f"sum by (http_request_method, http_route) (rate({_SECONDS}_count{{{HTTP}}}[$__rate_interval]))",
                    "{{http_request_method}} {{http_route}}",
                ),
            )
        )
        .with_panel(
            graph(
                "Errors by route",
                "reqps",
                (
                    "sum by (http_route, http_response_status_code) "
                    f'(rate({_SECONDS}_count{{{HTTP}, http_response_status_code=~"5.."}}[$__rate_interval]))',
                    "{{http_response_status_code}} {{http_route}}",
                ),
            )
        )
        .with_panel(graph("Time to answer", "s", *quantiles(f"{_SECONDS}_bucket{{{HTTP}}}")))
    )


def _model(made: Dashboard) -> Dashboard:
    return (
        made.with_row(row("Model"))
        .with_panel(
            graph(
                "Model calls",
                "cps",
                (
                    f"sum by (feature, status) (rate(canopy_generations_total{{{_MINE}}}[$__rate_interval]))",
                    "{{feature}} {{status}}",
                ),
            )
        )
        .with_panel(
            graph(
                "Failed model calls by cause",
                "cps",
                (
                    f'sum by (code) (rate(canopy_generations_total{{{_MINE}, status="failed"}}[$__rate_interval]))',
                    "{{code}}",
                ),
                text="Some fail after their stream began, with status 200.",
            )
        )
        .with_panel(
            graph(
                "Tokens",
                "short",
                (
                    f"sum by (type) (rate(canopy_generation_tokens_total{{{_MINE}}}[$__rate_interval]))",
                    "{{type}} per second",
                ),
            )
        )
        .with_panel(
            graph(
                "Time to first token",
                "s",
                *quantiles(f"canopy_time_to_first_token_seconds_bucket{{{_MINE}}}"),
                width=12,
            )
        )
        .with_panel(
            graph(
                "Time per token", "s", *quantiles(f"canopy_time_per_output_token_seconds_bucket{{{_MINE}}}"), width=12
            )
        )
    )


def _process(made: Dashboard) -> Dashboard:
    return (
        made.with_row(row("Process and values"))
        .with_panel(
            number(
                "Values in force are the file's",
                "bool_yes_no",
                f"min(canopy_config_last_reload_successful{{{_MINE}}})",
                text="No: the file is wrong, and the last good values stay.",
            )
        )
        .with_panel(
            number(
                "Values loaded",
                "dateTimeFromNow",
                f"1000 * max(canopy_config_last_reload_success_timestamp_seconds{{{_MINE}}})",
            )
        )
        .with_panel(
            graph(
                "Changes of the values",
                "short",
                (f"sum by (result) (increase(canopy_config_reloads_total{{{_MINE}}}[$__rate_interval]))", "{{result}}"),
            )
        )
        .with_panel(graph("Flags", "bool_on_off", (f"min by (flag) (canopy_feature_enabled{{{_MINE}}})", "{{flag}}")))
        .with_panel(
            graph(
                "Failures",
                "short",
                (f"sum by (code) (increase(canopy_request_failures_total{{{_MINE}}}[$__rate_interval]))", "{{code}}"),
                (f"sum(increase(canopy_store_errors_total{{{_MINE}}}[$__rate_interval]))", "calls to the store"),
            )
        )
        .with_panel(
            graph(
                "CPU",
                "short",
                (f"sum by (pod) (rate(process_cpu_seconds_total{{{HTTP}}}[$__rate_interval]))", "{{pod}}"),
            )
        )
        .with_panel(graph("Memory", "bytes", (f"sum by (pod) (process_resident_memory_bytes{{{HTTP}}})", "{{pod}}")))
    )


def _mlflow(made: Dashboard) -> Dashboard:
    # Every replica tells of the same outbox, so none is added to another.
    return (
        made.with_row(row("MLflow"))
        .with_panel(number("Oldest undelivered feedback", "s", f"max(canopy_outbox_oldest_age_seconds{{{_MINE}}})"))
        .with_panel(
            graph(
                "Outbox",
                "short",
                (f"max(canopy_outbox_depth{{{_MINE}}})", "waiting"),
                (f"max(canopy_outbox_parked{{{_MINE}}})", "parked"),
            )
        )
        .with_panel(
            graph(
                "Deliveries",
                "short",
                (
                    f"sum by (result) (increase(canopy_mlflow_deliveries_total{{{_MINE}}}[$__rate_interval]))",
                    "{{result}}",
                ),
            )
        )
    )


def _log(made: Dashboard) -> Dashboard:
    return made.with_row(row("Log")).with_panel(lines("Errors", f'{LINES} |= `"level":"error"` | json'))
