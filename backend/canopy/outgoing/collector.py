"""Makes the HTTP session of OpenTelemetry's exporters for spans and log records.

The exporters follow no redirect and take one for success, so that data would be lost silently. They find this session
by the entry point `canopy`, which the chart names in `OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER` and
the same variable for `LOGS`.
"""

from typing import Any, override

import requests

from canopy.base.errors import ConfigError
from canopy.outgoing.causes import redirection
from canopy.outgoing.certificates import trusted_place
from canopy.outgoing.proxies import proxy_for

_SETTING = "OTEL_EXPORTER_OTLP_ENDPOINT"


class _CollectorSession(requests.Session):
    """A session with the proxies and certificates of all other clients, which treats redirects as failures."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.hooks["response"].append(_refuse_redirect)

    @override
    def request(self, method: str, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        try:
            proxy = proxy_for(url if isinstance(url, str) else url.decode())
            if proxy and proxy.startswith("socks"):
                raise requests.RequestException(
                    f"The server of {_SETTING} is behind ALL_PROXY, and spans can't go through SOCKS: name its "
                    "host in NO_PROXY."
                )
            kwargs["proxies"] = {"all": proxy} if proxy else {}
            if kwargs.get("verify") in (None, True):  # unless a file for this server alone is configured
                kwargs["verify"] = trusted_place() or True
            return super().request(method, url, *args, **kwargs)
        except (ValueError, ConfigError):  # its text may hold a part of the URL's password
            raise requests.RequestException(
                f"{_SETTING}, or the address of a proxy, is malformed: give `http://HOST:PORT`, with signs of a "
                "password as `%2F` and the like."
            ) from None


def collector_session() -> requests.Session:
    """Make the session for spans and log records; the exporter logs and counts what it fails at."""
    return _CollectorSession()


def _refuse_redirect(response: requests.Response, *_: object, **__: Any) -> None:
    if 300 <= response.status_code < 400:
        target = redirection(response.status_code, response.headers.get("location"), response.url, _SETTING)
        response.close()  # the exporter never sees it, since this raises
        raise requests.RequestException(target or f"The collector answers with status {response.status_code}.")
