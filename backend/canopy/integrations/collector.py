"""The session in which OpenTelemetry's exporter sends spans, where the environment names it.

The exporter follows no redirect and takes one for success, so that its spans would be lost without a word. It finds
this session by the entry point `canopy`, which the chart names in
`OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER`.
"""

from typing import Any, override

import requests

from canopy.outgoing import redirection

_SETTING = "OTEL_EXPORTER_OTLP_ENDPOINT"


class _Session(requests.Session):
    @override
    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        try:
            return super().request(*args, **kwargs)
        except ValueError:  # of an address that can't be read, with a part of it that may be the password's
            raise requests.RequestException(
                f"{_SETTING}, or the address of a proxy, is malformed: give `http://HOST:PORT`, with signs of a "
                "password as `%2F` and the like."
            ) from None


def collector_session() -> requests.Session:
    """A session whose redirects are failures, which the exporter logs and counts."""
    session = _Session()
    session.hooks["response"].append(_refuse_redirect)
    return session


def _refuse_redirect(response: requests.Response, *_: object, **__: Any) -> None:
    if 300 <= response.status_code < 400:
        target = redirection(response.status_code, response.headers.get("location"), response.url, _SETTING)
        response.close()  # nobody else gets it, once this has raised
        raise requests.RequestException(target or f"The collector answers with status {response.status_code}.")
