"""Explains why another server can't be used, and what to change: a connection that failed, or a redirect.

No client follows a redirect, since texts and tokens would go to a URL that nobody configured.
"""

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urljoin

from canopy.outgoing.proxies import proxy_for
from canopy.text.addresses import origin

_EXPIRED = {9, 10}  # X.509: not yet, or no longer valid
_OTHER_NAME = {62, 64}  # X.509: for another host, for another address
_TOO_WEAK = {66, 67, 68}  # X.509: a server's key, an authority's, a signature's digest
_NO_TLS = {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "PACKET_LENGTH_TOO_LONG"}
_OLD_TLS = {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_SSL_VERSION", "VERSION_TOO_LOW"}
_NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EPERM, errno.EACCES}


class Peer(NamedTuple):
    """Names a server in error messages, such as `the model server`, and the setting that holds its URL."""

    name: str
    setting: str

    @property
    def capitalized(self) -> str:
        """Return the name capitalized, for the beginning of a sentence."""
        return self.name[0].upper() + self.name[1:]


class Cause(NamedTuple):
    """Tells why a connection failed. `reason` holds the library's own words."""

    sentence: str | None  # None if the cause is unknown
    timed_out: bool
    reason: str | None


def cause_of(error: BaseException, peer: Peer, url: str) -> Cause:
    """Return why the connection to the server at `url` failed."""
    import aiohttp  # noqa: PLC0415 - importing it takes a fifth of a second

    chain = list(_chain(error))
    proxy = proxy_for(url)
    # Transports call nearly every failure a timeout; the error's cause is more precise.
    found = (_tls(each, peer, proxy) for each in chain), (_connection(each, peer, proxy is not None) for each in chain)
    sentence = next((sentence for sentences in found for sentence in sentences if sentence), None)
    reason = next((str(it) for it in chain if isinstance(it, aiohttp.ClientError | OSError) and str(it)), None)
    if sentence or not any(isinstance(it, TimeoutError) for it in chain):
        return Cause(sentence, timed_out=False, reason=reason)
    sentence = (
        f"{peer.capitalized} did not accept a connection in time: check the port in {peer.setting}, and firewalls and "
        "NetworkPolicies between."
    )
    return Cause(sentence, timed_out=True, reason=reason)


def explain(error: BaseException, peer: Peer, url: str) -> str:
    """Return a sentence for the cause; if it is unknown, one with the error's name."""
    return cause_of(error, peer, url).sentence or f"The connection failed ({type(error).__name__})."


def redirection(status: int, location: str | None, asked: str, setting: str) -> str | None:
    """Return a sentence on a redirect and what to change; None if the response is no redirect.

    `asked` is the URL that was asked, `setting` the name of the setting that holds it. The sentence names the target's
    origin alone, as the rest may be secret.
    """
    if not (300 <= status < 400 and location):
        return None
    try:
        target = origin(urljoin(asked, location))
    except ValueError:
        target = None
    return (
        f"It redirects to {target or 'elsewhere'} ({status}), which Canopy doesn't follow: put the right address into "
        f"{setting}."
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, its causes and theirs."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        it = waiting.pop(0)
        if it is not None and id(it) not in seen:
            seen.add(id(it))
            yield it
            waiting += [it.__cause__, getattr(it, "os_error", None), getattr(it, "certificate_error", None)]
            waiting += [it.__context__, *(it.exceptions if isinstance(it, BaseExceptionGroup) else ())]


def _tls(  # noqa: PLR0911 - a table, one row per cause
    error: BaseException, peer: Peer, proxy: str | None
) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        code = getattr(error, "verify_code", None)
        return None if code is None else _certificate(code, peer)  # None: a wrapper of the error with the code
    reason = getattr(error, "reason", None)
    if not isinstance(error, ssl.SSLError) or not reason:  # the transport's, which wraps the one that has it
        return None
    if reason in _NO_TLS and (proxy or "").startswith("https:"):
        return (
            f"The proxy before {peer.name} speaks no TLS, though its address begins with https://: begin the address "
            "in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY with http://."
        )
    if reason in _NO_TLS:
        return (
            f"{peer.capitalized} speaks no TLS that Canopy understands: begin {peer.setting} with http:// where it "
            "has none."
        )
    if "CERTIFICATE_REQUIRED" in reason or "ALERT_HANDSHAKE_FAILURE" in reason or "ALERT_BAD_CERTIFICATE" in reason:
        return (
            f"{peer.capitalized} refuses Canopy in the TLS handshake: it may want a certificate of its clients, which "
            "Canopy has none of, or ciphers that are out of use."
        )
    if reason in _OLD_TLS:
        return f"{peer.capitalized} speaks only outdated versions of TLS: let it speak TLS 1.2 or 1.3."
    if "TOO_SMALL" in reason or "TOO_WEAK" in reason:
        return _certificate(min(_TOO_WEAK), peer)
    return f"{peer.capitalized} and Canopy agree on no TLS: look at the TLS settings of it and of what stands between."


def _certificate(code: int, peer: Peer) -> str:
    if code in _EXPIRED:
        return f"{peer.capitalized}'s certificate is not valid at this time: renew it, or set this machine's clock."
    if code in _OTHER_NAME:
        return (
            f"{peer.capitalized}'s certificate is for another name: use a name in {peer.setting} that the "
            "certificate holds."
        )
    if code in _TOO_WEAK:
        return (
            f"{peer.capitalized}'s certificate, or its authority's, is too weak: have it made anew with a key of 2048 "
            "bits or more and SHA-256."
        )
    return (
        f"{peer.capitalized}'s certificate is not trusted: let SSL_CERT_FILE name a file with the certificate of the "
        "authority that signed it."
    )


def _connection(  # noqa: PLR0911 - a table, one row per cause
    error: BaseException, peer: Peer, through_proxy: bool
) -> str | None:
    import aiohttp  # noqa: PLC0415 - as above
    import httpx  # noqa: PLC0415 - as above

    match error:
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError() | httpx.ProxyError():
            return _of_the_proxy(peer)
        case socket.gaierror() | ConnectionRefusedError() if through_proxy:  # the proxy was not reached
            return _of_the_proxy(peer)
        case socket.gaierror():
            return (
                f"The name of {peer.name}'s host is not known here: check {peer.setting}. In a cluster it is "
                "SERVICE.NAMESPACE, or SERVICE alone in the same namespace."
            )
        case ConnectionRefusedError():
            return f"Nothing listens at {peer.name}'s address: start it, or check the port in {peer.setting}."
        case httpx.ReadTimeout() | httpx.WriteTimeout():
            return f"{peer.capitalized} took the connection and did not answer in time."
        case aiohttp.ServerDisconnectedError() | httpx.RemoteProtocolError() | ConnectionResetError():
            return (
                f"{peer.capitalized} hung up without an answer: it may be starting, or {peer.setting} may begin with "
                "the wrong one of http:// and https://."
            )
        case OSError() if error.errno in _NO_WAY:
            return f"No way leads to {peer.name}: look at routes, firewalls and the NetworkPolicy."
        case _:
            return None


def _of_the_proxy(peer: Peer) -> str:
    return (
        f"The proxy before {peer.name} doesn't let Canopy through: check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, or "
        "name the server's host in NO_PROXY."
    )
