"""The HTTP session of OpenTelemetry's exporters for spans and log records.

The exporters follow no redirect and take one for success, so that data would be lost silently. They find this session
by the entry point `canopy`, which the chart names in `OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER` and
the same variable for `LOGS`.
"""

from typing import Any

import requests

from canopy.outgoing import redirection
from canopy.outgoing.requests_session import TrustedSession

_SETTING = "OTEL_EXPORTER_OTLP_ENDPOINT"


def collector_session() -> requests.Session:
    """Make a session that treats redirects as failures, which the exporter logs and counts."""
    session = TrustedSession(_SETTING)
    session.hooks["response"].append(_refuse_redirect)
    return session


def _refuse_redirect(response: requests.Response, *_: object, **__: Any) -> None:
    if 300 <= response.status_code < 400:
        target = redirection(response.status_code, response.headers.get("location"), response.url, _SETTING)
        response.close()  # the exporter never sees it, since this raises
        raise requests.RequestException(target or f"The collector answers with status {response.status_code}.")
