"""Contradictions among the chart's own values. What depends on the cluster (Kubernetes' version) only Helm can tell."""

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from canopy.flags.chart.values import ChartValues
from canopy.flags.contradictions import Contradiction
from canopy.flags.servers import METADATA, gives_out_credentials

type _Named = list[tuple[object, ...]]

# The headers that each proxy sets and takes from clients (`canopy.vouchedHeaders`). Of another proxy nobody can know.
_EMAIL, _GROUPS = "X-Forwarded-Email", "X-Forwarded-Groups"
_VOUCHED = {
    "oauth2-proxy": {
        "email_header": [_EMAIL.lower()],
        "groups_header": [_GROUPS.lower()],
        "user_header": ["x-forwarded-user", "x-forwarded-email", "x-forwarded-preferred-username"],
    },
    "openshift": {"user_header": ["x-forwarded-user", "x-forwarded-email"]},
}
# What the chart passes to the proxies that it knows (`canopy.proxyArguments`).
_KNOWN = {"proxy-websockets": "false", "pass-basic-auth": "true", "pass-user-headers": "true"}
_OAUTH2 = _KNOWN | {"prefer-email-to-user": "false", "skip-auth-strip-headers": "true"}


def with_headers_of_the_proxy(values: ChartValues) -> ChartValues:
    """The values as the chart hands them to the server: with the headers of the proxy that `authProxy.kind` names."""
    auth = values.auth
    if auth.mode != "proxy" or values.auth_proxy.kind != "oauth2-proxy":
        return values
    user = auth.user_header.lower()
    headers = {"email_header": _EMAIL, "groups_header": _GROUPS}
    added = {key: name for key, name in headers.items() if not getattr(auth, key) and user != name.lower()}
    return values.model_copy(update={"auth": auth.model_copy(update=added)})


def _metadata_as_collector(values: ChartValues) -> bool:
    return gives_out_credentials(urlsplit(values.opentelemetry.endpoint).hostname or "")


def _behind_proxy(found: Callable[[ChartValues], bool], kind: str = "") -> Callable[[ChartValues], bool]:
    """Where there is a proxy, of this kind if one is named."""
    return lambda values: values.auth.mode == "proxy" and (not kind or values.auth_proxy.kind == kind) and found(values)


def _unvouched_headers(values: ChartValues) -> _Named:
    kind = values.auth_proxy.kind
    if values.auth.mode != "proxy":
        return []
    return [
        (key, name, kind, " ".join(vouched))
        for key, vouched in _VOUCHED.get(kind, {}).items()
        if (name := getattr(values.auth, key)) and name.lower() not in vouched
    ]


def _arguments(values: ChartValues) -> list[tuple[str, str]]:
    """Names and values of the proxy's arguments, where the chart decides any."""
    if values.auth.mode != "proxy" or values.auth_proxy.kind == "other":
        return []
    split = [(re.match(r"--?([a-z0-9-]+)", text), text.partition("=")) for text in values.auth_proxy.args]
    return [(name[1].removeprefix("-"), value or "true") for name, (_, _, value) in split if name]


def _decided_arguments(values: ChartValues) -> _Named:
    decided = _OAUTH2 if values.auth_proxy.kind == "oauth2-proxy" else _KNOWN
    given = _arguments(values)
    return [(name, value, name, decided[name]) for name, value in given if decided.get(name, value) != value]


def _opened(values: ChartValues) -> list[str]:
    """The addresses and networks that the NetworkPolicy would let the pods out to."""
    policy = values.network_policy
    if not policy.enabled:
        return []
    addresses = [policy.to.mlflow, *[policy.to.postgresql] * (values.store.engine == "postgresql")]
    addresses += [policy.to.identity_provider] * (values.auth.mode == "proxy")
    hosts = [urlsplit(address).hostname or "" for address in addresses]
    blocks = [to.get("ipBlock") or {} for rule in policy.extra_egress for to in rule.get("to") or []]
    own = [f"{host}/{128 if ':' in host else 32}" for host in hosts if re.fullmatch(r"[0-9.]+|.*:.*", host)]
    return own + [str(block["cidr"]) for block in blocks if block.get("cidr")]


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _no_addresses(version: int) -> Callable[[ChartValues], _Named]:
    def found(values: ChartValues) -> _Named:
        those = [text for text in _opened(values) if (6 if ":" in text else 4) == version]
        dotted = [text for text in those if version == 6 and "." in text]
        return [(text.partition("/")[0],) for text in those if text in dotted or _network(text) is None]

    return found


def _ipv4_in_ipv6(values: ChartValues) -> _Named:
    outer = [IPv6Network("::/96"), IPv6Network("::ffff:0:0/96")]
    networks = [(text, _network(text)) for text in _opened(values)]
    return [(text,) for text, one in networks if isinstance(one, IPv6Network) and any(map(one.subnet_of, outer))]


def _ways_to_credentials(values: ChartValues) -> _Named:
    """Networks that the NetworkPolicy would open, and the one of a metadata service that each is in."""
    networks = [(text, network) for text in _opened(values) if (network := _network(text))]
    return [(text, outer) for text, inner in networks for outer in METADATA if _within(inner, outer)]


def _within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    return inner.version == outer.version and inner.network_address in outer and inner.prefixlen >= outer.prefixlen


_SQLITE = "sqlite"
OF_THE_CHART: tuple[Contradiction[ChartValues], ...] = (
    Contradiction(
        _metadata_as_collector,
        "`opentelemetry.endpoint`: leads to where clouds give out credentials, or to no farther than a link; name the "
        "server itself.",
    ),
    Contradiction(
        lambda values: values.store.engine == _SQLITE and values.autoscaling.enabled,
        "autoscaling.enabled is true, but SQLite takes one replica. Set store.engine to postgresql and "
        "store.existingSecret.name, or autoscaling.enabled to false.",
    ),
    Contradiction(
        lambda values: [(values.replicas,)] * (values.store.engine == _SQLITE and values.replicas > 1),
        "replicas is {}, but SQLite takes one. Set store.engine to postgresql and store.existingSecret.name, or "
        "replicas to 1.",
    ),
    Contradiction(
        lambda values: values.store.engine == "postgresql" and not values.store.existing_secret.name,
        "store.engine is postgresql, but store.existingSecret.name is empty. Make a Secret that holds PostgreSQL's URL "
        "and name it there.",
    ),
    Contradiction(
        lambda values: values.store.engine == _SQLITE and bool(values.store.existing_secret.name),
        "store.existingSecret.name is set, but store.engine is sqlite. Set store.engine to postgresql, or leave the "
        "name empty.",
    ),
    Contradiction(
        lambda values: values.autoscaling.enabled and values.autoscaling.min_replicas > values.autoscaling.max_replicas,
        "autoscaling.minReplicas is larger than autoscaling.maxReplicas. Swap them.",
    ),
    Contradiction(
        lambda values: not (values.LLAMA_STACK_URL or values.image.embedded_model),
        "LLAMA_STACK_URL is not set. Set it to the model server's address, such as http://ogx-service:8321 or "
        "http://llama-stack-service:8321, or image.embeddedModel to true where the image brings the embedded model.",
    ),
    Contradiction(
        lambda values: values.judge_runs.enabled and values.store.engine == _SQLITE,
        "judgeRuns.enabled is true, but SQLite's file is for the server's pod alone. Set judging.online to true "
        "instead, or store.engine to postgresql.",
    ),
    Contradiction(
        lambda values: (
            values.opentelemetry.enabled and values.network_policy.enabled and not values.opentelemetry.endpoint
        ),
        "opentelemetry.enabled is true, but the NetworkPolicy would not let the traces out. Set opentelemetry.endpoint "
        "to the collector's address, or networkPolicy.enabled to false.",
    ),
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
        lambda values: (
            [(values.auth.mode,)]
            * (values.route.enabled and values.route.insecure_policy == "Allow" and values.auth.mode != "open")
        ),
        "route.insecurePolicy is Allow, but auth.mode is {}: tokens and cookies would cross the network unencrypted. "
        "Set it to Redirect or None.",
    ),
    Contradiction(
        lambda values: values.ingress.enabled and not values.ingress.hosts,
        "ingress.enabled is true, but ingress.hosts is empty. Name at least one host there.",
    ),
    Contradiction(
        lambda values: values.http_route.enabled and not values.http_route.parent_refs,
        "httpRoute.enabled is true, but httpRoute.parentRefs is empty. Name the Gateway there.",
    ),
    Contradiction(
        lambda values: [
            (name, name.lower().removeprefix("canopy_"))
            for name in (str(variable.get("name", "")) for variable in values.extra_env)
            if name.upper().startswith("CANOPY_")
        ],
        "extraEnv has {}, which the chart sets. Use settings.{} instead; secrets come from Secrets: "
        "store.existingSecret, authTokens.existingSecret, mlflowToken.existingSecret.",
    ),
    Contradiction(_no_addresses(6), "networkPolicy has {}, which is no address of IPv6. Write IPv4 addresses as such."),
    Contradiction(
        _no_addresses(4),
        "networkPolicy has {}, which is no address of IPv4. Write it as four numbers, without zeros before them.",
    ),
    Contradiction(_ipv4_in_ipv6, "networkPolicy has {}, which is IPv4 written as IPv6. Write IPv4 addresses as such."),
    Contradiction(
        _ways_to_credentials,
        "networkPolicy lets nobody out to {}: {} is where clouds give out credentials. Name another address.",
    ),
)
