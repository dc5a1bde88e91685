"""The session in which OpenTelemetry's exporters send spans and log records, where the environment names it.

They follow no redirect and take one for success, so that what they send would be lost without a word. They find this
session by the entry point `canopy`, which the chart names in
`OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER` and the same for `LOGS`.
"""

from typing import Any

import requests

from canopy.outgoing import redirection
from canopy.outgoing.requests_session import TrustedSession

_SETTING = "OTEL_EXPORTER_OTLP_ENDPOINT"


def collector_session() -> requests.Session:
    """A session whose redirects are failures, which the exporter logs and counts."""
    session = TrustedSession(_SETTING)
    session.hooks["response"].append(_refuse_redirect)
    return session


def _refuse_redirect(response: requests.Response, *_: object, **__: Any) -> None:
    if 300 <= response.status_code < 400:
        target = redirection(response.status_code, response.headers.get("location"), response.url, _SETTING)
        response.close()  # nobody else gets it, once this has raised
        raise requests.RequestException(target or f"The collector answers with status {response.status_code}.")
