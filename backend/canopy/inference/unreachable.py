"""Why there is no connection to a model server, and what to change."""

import errno
import socket
import ssl
from collections.abc import Iterator

import aiohttp
import httpx

from canopy.errors import CanopyError, ModelTimeout, ModelUnreachable
from canopy.inference.refusals import RETRY_AFTER

_EXPIRED = {9, 10}  # X.509: not yet, or no longer valid
_OTHER_NAME = {62, 64}  # X.509: for another host, for another address
_NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EPERM, errno.EACCES}


def unreachable(error: Exception) -> CanopyError:
    """The error for a connection that could not be made. The transport's own words are its `reason`."""
    chain = list(_chain(error))
    # The transport calls nearly every failure a timeout; the causes below know better.
    sentence = next(filter(None, map(_certificate, chain)), None) or next(filter(None, map(_connection, chain)), None)
    reason = next((str(it) for it in chain if isinstance(it, aiohttp.ClientError | OSError) and str(it)), None)
    if sentence:
        return ModelUnreachable(sentence, retry_after=RETRY_AFTER, reason=reason)
    if any(isinstance(it, TimeoutError) for it in chain):
        return ModelTimeout(
            "The model server did not accept a connection in time: check the port in `LLAMA_STACK_URL`, and firewalls "
            "and NetworkPolicies between.",
            reason=reason,
        )
    return ModelUnreachable(
        "The model server can't be reached. Try again in a moment.", retry_after=RETRY_AFTER, reason=reason
    )


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
            waiting.append(it.__context__)


def _certificate(error: BaseException) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        code = getattr(error, "verify_code", None)
        if code is None:  # the transport's, which wraps the one that has it
            return None
        if code in _EXPIRED:
            return "The model server's certificate is not valid at this time: renew it, or set this machine's clock."
        if code in _OTHER_NAME:
            return (
                "The model server's certificate is for another name: use a name in `LLAMA_STACK_URL` that the "
                "certificate holds."
            )
        return (
            "The model server's certificate is not trusted: let SSL_CERT_FILE name a file with the certificate of the "
            "authority that signed it."
        )
    if isinstance(error, ssl.SSLError):
        return (
            "The model server speaks no TLS that Canopy understands: where it has none, begin `LLAMA_STACK_URL` with "
            "http://."
        )
    return None


def _connection(error: BaseException) -> str | None:
    match error:
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError() | httpx.ProxyError():
            return (
                "The proxy before the model server doesn't let Canopy through: check HTTP_PROXY and HTTPS_PROXY, or "
                "name the server's host in NO_PROXY."
            )
        case socket.gaierror():
            return (
                "The name of the model server's host is not known here: check `LLAMA_STACK_URL`. In a cluster it is "
                "SERVICE.NAMESPACE, or SERVICE alone in the same namespace."
            )
        case ConnectionRefusedError():
            return "Nothing listens at the model server's address: start it, or check the port in `LLAMA_STACK_URL`."
        case aiohttp.ServerDisconnectedError() | ConnectionResetError():
            return (
                "The model server hung up without an answer: it may be starting, or `LLAMA_STACK_URL` may begin with "
                "the wrong one of http:// and https://."
            )
        case OSError() if error.errno in _NO_WAY:
            return "No way leads to the model server: look at routes, firewalls and the NetworkPolicy."
        case _:
            return None
