"""Sessions of `requests`, for OpenTelemetry's exporter, which supports nothing else."""

from typing import Any, override

import requests

from canopy.base.errors import ConfigError
from canopy.outgoing.certificates import trusted_place
from canopy.outgoing.proxies import proxy_for


class TrustedSession(requests.Session):
    """A session with the proxies and certificates that all clients of Canopy have. `setting` is for errors: where the
    address of the server comes from.
    """

    def __init__(self, setting: str) -> None:
        super().__init__()
        self.trust_env = False
        self._setting = setting

    @override
    def request(self, method: str, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        try:
            proxy = proxy_for(url if isinstance(url, str) else url.decode())
            if proxy and proxy.startswith("socks"):
                raise requests.RequestException(
                    f"The server of {self._setting} is behind ALL_PROXY, and spans can't go through SOCKS: name its "
                    "host in NO_PROXY."
                )
            kwargs["proxies"] = {"all": proxy} if proxy else {}
            if kwargs.get("verify") in (None, True):  # unless a file for this server alone is configured
                kwargs["verify"] = trusted_place() or True
            return super().request(method, url, *args, **kwargs)
        except (ValueError, ConfigError):  # its text may hold a part of the URL's password
            raise requests.RequestException(
                f"{self._setting}, or the address of a proxy, is malformed: give `http://HOST:PORT`, with signs of a "
                "password as `%2F` and the like."
            ) from None
