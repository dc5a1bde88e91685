"""Where a request spent its time: requests, votes and model calls as Tempo has them."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from tools.dashboards.parts import TEMPO, board, row, spans

_MINE = 'resource.service.name = "canopy-backend" && resource.k8s.namespace.name = "$namespace"'


def _asked(route: str, but: str) -> str:
    """Spans of requests to any feature's route; `but` are addresses of Canopy's own that look like one."""
    return f'{{ {_MINE} && name =~ "POST /[a-z0-9_-]+{route}" && name !~ "POST /{but}" }}'


def dashboard() -> Dashboard:
    """Canopy Distributed Traces."""
    answer = "select(span.http.route, span.http.response.status_code)"
    failure = "select(span.error.type, span.gen_ai.request.model)"
    tokens = "select(span.gen_ai.request.model, span.gen_ai.usage.output_tokens, span.canopy.generation_id)"
    return (
        board(
            "Canopy Distributed Traces",
            "canopy-traces",
            "One server span per request, one client span per model call. A click on a trace opens it.",
            TEMPO,
        )
        .with_row(row("Requests"))
        .with_panel(spans("Votes", f'{{ {_MINE} && name = "POST /feedback" }}', text="POST /feedback"))
        .with_panel(
            spans(
                "Answers", _asked("(/chat)?", "(feedback|sign-in|sign-out)"), text="POST /summarize, or another feature"
            )
        )
        .with_panel(spans("Comparisons", _asked("/ab", "feedback/ab"), text="POST /summarize/ab or another's"))
        .with_panel(spans("Failed requests", f"{{ {_MINE} && kind = server && status = error }} | {answer}"))
        .with_panel(spans("Slow requests", f"{{ {_MINE} && kind = server && duration > 10s }} | {answer}", width=24))
        .with_row(row("Model calls"))
        .with_panel(spans("Model calls", f'{{ {_MINE} && span.gen_ai.operation.name = "chat" }} | {tokens}'))
        .with_panel(
            spans(
                "Failed model calls",
                f"{{ {_MINE} && kind = client && status = error }} | {failure}",
            )
        )
    )
