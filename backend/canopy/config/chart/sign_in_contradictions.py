"""Contradictions among `auth`, the Secret of tokens and the OAuth proxy in each pod."""

import re
from collections.abc import Callable

from canopy.config.chart.chart_values import ChartValues
from canopy.config.contradictions import Contradiction, SentenceArguments

# The headers that each known proxy sets itself and removes from clients' requests (`canopy.vouchedHeaders`).
_EMAIL, _GROUPS = "X-Forwarded-Email", "X-Forwarded-Groups"
_VOUCHED = {
    "oauth2-proxy": {
        "email_header": [_EMAIL.lower()],
        "groups_header": [_GROUPS.lower()],
        "user_header": ["x-forwarded-user", "x-forwarded-email", "x-forwarded-preferred-username"],
    },
    "openshift": {"user_header": ["x-forwarded-user", "x-forwarded-email"]},
}
# The arguments that the chart passes to known proxies (`canopy.proxyArguments`).
_OPENSHIFT = {"proxy-websockets": "false", "pass-basic-auth": "true", "pass-user-headers": "true"}
_OAUTH2_PROXY = _OPENSHIFT | {"prefer-email-to-user": "false", "skip-auth-strip-headers": "true"}
_SERVERS_PORTS = (8000, 8001)


def with_headers_of_the_proxy(values: ChartValues) -> ChartValues:
    """Return the values as the chart renders them for the server: with oauth2-proxy's e-mail and groups headers."""
    auth = values.auth
    if auth.mode != "proxy" or values.auth_proxy.kind != "oauth2-proxy":
        return values
    user = auth.user_header.lower()
    headers = {"email_header": _EMAIL, "groups_header": _GROUPS}
    added = {key: name for key, name in headers.items() if not getattr(auth, key) and user != name.lower()}
    return values.model_copy(update={"auth": auth.model_copy(update=added)})


def _behind_proxy(found: Callable[[ChartValues], bool], kind: str = "") -> Callable[[ChartValues], bool]:
    """Return a check that is true only behind a proxy, of this kind if one is named."""
    return lambda values: values.auth.mode == "proxy" and (not kind or values.auth_proxy.kind == kind) and found(values)


def _proxy_at(values: ChartValues, port: int) -> bool:
    return values.auth.mode == "proxy" and values.auth_proxy.port == port


def _unvouched_headers(values: ChartValues) -> SentenceArguments:
    kind = values.auth_proxy.kind
    if values.auth.mode != "proxy":
        return []
    return [
        (key, name, kind, " ".join(vouched))
        for key, vouched in _VOUCHED.get(kind, {}).items()
        if (name := getattr(values.auth, key)) and name.lower() not in vouched
    ]


def _arguments(values: ChartValues) -> list[tuple[str, str]]:
    """Return names and values of the proxy's arguments; none for a proxy whose arguments the chart doesn't know."""
    if values.auth.mode != "proxy" or values.auth_proxy.kind == "other":
        return []
    split = [(re.match(r"--?([a-z0-9-]+)", text), text.partition("=")) for text in values.auth_proxy.args]
    return [(name[1].removeprefix("-"), value or "true") for name, (_, _, value) in split if name]


def _decided_arguments(values: ChartValues) -> SentenceArguments:
    decided = _OAUTH2_PROXY if values.auth_proxy.kind == "oauth2-proxy" else _OPENSHIFT
    given = _arguments(values)
    return [(name, value, name, decided[name]) for name, value in given if decided.get(name, value) != value]


def _opened_by_passwords(values: ChartValues) -> SentenceArguments:
    """Return the user header if it holds e-mail addresses and people sign in by a password file.

    Those people have no address, and OpenShift's proxy passes on the header that the client sent.
    """
    user_header = values.auth.user_header
    by_file = any(name == "htpasswd-file" for name, _ in _arguments(values))
    named = values.auth_proxy.kind == "openshift" and user_header.lower() == _EMAIL.lower()
    return [(user_header,)] * (by_file and named)


SIGN_IN_CONTRADICTIONS: tuple[Contradiction[ChartValues], ...] = (
    Contradiction(
        lambda values: values.auth.mode == "token" and not values.auth_tokens.existing_secret.name,
        "auth.mode is token, but authTokens.existingSecret.name is empty. Make a Secret that holds the tokens "
        "(docs/operations.md shows it) and name it there, or set auth.mode to open.",
    ),
    Contradiction(
        _behind_proxy(lambda values: not values.auth_proxy.existing_secret.name),
        "auth.mode is proxy, but authProxy.existingSecret.name is empty. Make a Secret with the proxy's client id, "
        "client secret and cookie secret, and with a proxy-secret that the server knows it by, and name it there, or "
        "set auth.mode to open.",
    ),
    Contradiction(
        _behind_proxy(lambda values: not values.auth_proxy.image),
        "auth.mode is proxy, but authProxy.image is empty. Name the image of oauth2-proxy or of OpenShift's "
        "oauth-proxy there.",
    ),
    Contradiction(
        _behind_proxy(lambda values: not values.auth_proxy.kind),
        "auth.mode is proxy, but authProxy.kind is empty. Say which proxy the image is: oauth2-proxy, openshift "
        "(OpenShift's oauth-proxy) or other.",
    ),
    Contradiction(
        _behind_proxy(lambda values: bool(values.auth.reviewer_groups or values.auth.groups_header), "openshift"),
        "authProxy.kind is openshift, but OpenShift's oauth-proxy sets no groups and takes none away, so that whoever "
        "is signed in could name one. Leave auth.reviewer_groups and auth.groups_header empty, and list people in "
        "auth.reviewer_users.",
    ),
    Contradiction(
        _behind_proxy(lambda values: bool(values.auth.reviewer_emails or values.auth.email_header), "openshift"),
        "authProxy.kind is openshift, but OpenShift's oauth-proxy makes e-mail addresses up from users' names. Leave "
        "auth.reviewer_emails and auth.email_header empty, and list people in auth.reviewer_users.",
    ),
    Contradiction(
        _unvouched_headers,
        "auth.{} is {}, which the proxy of authProxy.kind {} neither sets nor takes from clients, so that anybody "
        "could send it. Set it to one of: {}.",
    ),
    Contradiction(
        _behind_proxy(
            lambda values: bool(values.auth.reviewer_groups) and not values.auth.groups_separator, "oauth2-proxy"
        ),
        "auth.reviewer_groups is set, but auth.groups_separator is empty, and oauth2-proxy puts commas between groups. "
        'Set it to "," where nobody can be in a group with a comma in its name, or list people in '
        "auth.reviewer_emails.",
    ),
    Contradiction(_decided_arguments, "authProxy.args has --{}={}, but the chart has to pass --{}={}. Leave it out."),
    Contradiction(
        lambda values: any(name == "basic-auth-password" for name, _ in _arguments(values)),
        "authProxy.args has --basic-auth-password, which the chart passes from the Secret authProxy.existingSecret. "
        "Leave it out.",
    ),
    Contradiction(
        _behind_proxy(lambda values: values.network_policy.enabled and not values.network_policy.to.identity_provider),
        "auth.mode is proxy, but the NetworkPolicy would not let the proxy ask who people are. Set "
        "networkPolicy.to.identityProvider to the address of the identity provider, or networkPolicy.enabled to false.",
    ),
    Contradiction(
        lambda values: (
            [(values.auth.mode,)] * (values.auth.mode != "token" and bool(values.auth_tokens.existing_secret.name))
        ),
        "authTokens.existingSecret.name is set, but auth.mode is {}. Set auth.mode to token, or leave the name empty.",
    ),
    Contradiction(
        lambda values: (
            [(values.auth.mode,)] * (values.auth.mode != "proxy" and bool(values.auth_proxy.existing_secret.name))
        ),
        "authProxy.existingSecret.name is set, but auth.mode is {}. Set auth.mode to proxy, or leave the name empty.",
    ),
    Contradiction(
        _opened_by_passwords,
        "authProxy.args has --htpasswd-file, but auth.user_header is {}: whoever signs in by that file has no address, "
        "and the proxy would let through the one that the client sends. Set auth.user_header to X-Forwarded-User, or "
        "leave the file out.",
    ),
    Contradiction(
        lambda values: [(port,) for port in _SERVERS_PORTS if _proxy_at(values, port)],
        "authProxy.port is {}, where the server itself listens in the same pod. Give the proxy another, such as 4180.",
    ),
)
