"""Why there is no connection to a server, and what to change."""

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

import httpx

from canopy.outgoing.proxies import proxy_for

_EXPIRED = {9, 10}  # X.509: not yet, or no longer valid
_OTHER_NAME = {62, 64}  # X.509: for another host, for another address
_NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EPERM, errno.EACCES}


class Peer(NamedTuple):
    """A server as sentences name it, such as `the model server`, and the setting that its address comes from."""

    name: str
    setting: str

    @property
    def first(self) -> str:
        """The name where a sentence begins with it."""
        return self.name[0].upper() + self.name[1:]


class Cause(NamedTuple):
    """Why a connection failed. `reason` is the library's own words."""

    sentence: str | None  # None where nothing better is known than that it failed
    timed_out: bool
    reason: str | None


def cause_of(error: BaseException, peer: Peer, url: str) -> Cause:
    """Why the connection to the server at `url` failed."""
    import aiohttp  # noqa: PLC0415 - a fifth of a second, which only those spend who use it or have a failure

    chain = list(_chain(error))
    through_proxy = proxy_for(url) is not None
    # Transports call nearly every failure a timeout; what they raise it from knows better.
    found = (_certificate(each, peer) for each in chain), (_connection(each, peer, through_proxy) for each in chain)
    sentence = next((sentence for sentences in found for sentence in sentences if sentence), None)
    reason = next((str(it) for it in chain if isinstance(it, aiohttp.ClientError | OSError) and str(it)), None)
    if sentence or not any(isinstance(it, TimeoutError) for it in chain):
        return Cause(sentence, timed_out=False, reason=reason)
    sentence = (
        f"{peer.first} did not accept a connection in time: check the port in {peer.setting}, and firewalls and "
        "NetworkPolicies between."
    )
    return Cause(sentence, timed_out=True, reason=reason)


def why(error: BaseException, peer: Peer, url: str) -> str:
    """The sentence for the cause, or else one with the name of the error."""
    return cause_of(error, peer, url).sentence or f"The connection failed ({type(error).__name__})."


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, its causes and theirs."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        it = waiting.pop(0)
        if it is not None and id(it) not in seen:
            seen.add(id(it))
            yield it
            waiting += [it.__cause__, getattr(it, "os_error", None), getattr(it, "certificate_error", None)]
            waiting += [it.__context__, *(it.exceptions if isinstance(it, BaseExceptionGroup) else ())]


def _certificate(error: BaseException, peer: Peer) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        code = getattr(error, "verify_code", None)
        if code is None:  # the transport's, which wraps the one that has it
            return None
        if code in _EXPIRED:
            return f"{peer.first}'s certificate is not valid at this time: renew it, or set this machine's clock."
        if code in _OTHER_NAME:
            return (
                f"{peer.first}'s certificate is for another name: use a name in {peer.setting} that the certificate "
                "holds."
            )
        return (
            f"{peer.first}'s certificate is not trusted: let SSL_CERT_FILE name a file with the certificate of the "
            "authority that signed it."
        )
    if isinstance(error, ssl.SSLError):
        return (
            f"{peer.first} speaks no TLS that Canopy understands: where it has none, begin {peer.setting} with http://."
        )
    return None


def _connection(  # noqa: PLR0911 - a table, one row per cause
    error: BaseException, peer: Peer, through_proxy: bool
) -> str | None:
    import aiohttp  # noqa: PLC0415 - as above

    match error:
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError() | httpx.ProxyError():
            return _of_the_proxy(peer)
        case socket.gaierror() | ConnectionRefusedError() if through_proxy:  # it is the proxy that was looked for
            return _of_the_proxy(peer)
        case socket.gaierror():
            return (
                f"The name of {peer.name}'s host is not known here: check {peer.setting}. In a cluster it is "
                "SERVICE.NAMESPACE, or SERVICE alone in the same namespace."
            )
        case ConnectionRefusedError():
            return f"Nothing listens at {peer.name}'s address: start it, or check the port in {peer.setting}."
        case httpx.ReadTimeout() | httpx.WriteTimeout():
            return f"{peer.first} took the connection and did not answer in time."
        case aiohttp.ServerDisconnectedError() | httpx.RemoteProtocolError() | ConnectionResetError():
            return (
                f"{peer.first} hung up without an answer: it may be starting, or {peer.setting} may begin with the "
                "wrong one of http:// and https://."
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
