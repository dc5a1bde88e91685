"""Contradictions among routes into the cluster, other servers' addresses and the NetworkPolicy."""

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from canopy.config.chart.chart_values import ChartValues
from canopy.config.contradictions import Contradiction, SentenceArguments
from canopy.config.server_urls import METADATA, gives_out_credentials, hides_where_it_leads

_THIS_MACHINE = IPv6Network("::/127")  # `::1`, where a server in the same pod is, and `::`


def _servers(values: ChartValues) -> dict[str, str]:
    """Return the hosts of servers that only the chart knows, by key."""
    addresses = {
        "opentelemetry.endpoint": values.opentelemetry.endpoint,
        "proxy.http": values.proxy.http,
        "proxy.https": values.proxy.https,
    }
    return {name: urlsplit(address).hostname or "" for name, address in addresses.items()}


def _metadata_as_server(values: ChartValues) -> SentenceArguments:
    return [(name,) for name, host in _servers(values).items() if gives_out_credentials(host)]


def _hidden_addresses(values: ChartValues) -> SentenceArguments:
    servers = _servers(values).items()
    return [(name,) for name, host in servers if hides_where_it_leads(host)]


def _allowed_destinations(values: ChartValues) -> list[str]:
    """Return the IP addresses and networks that the NetworkPolicy would allow as destinations.

    The addresses of LLAMA_STACK_URL and mlflow.url are left out: the server's values check those.
    """
    policy = values.network_policy
    if not policy.enabled:
        return []
    database = values.store.postgresql.host
    postgresql = values.store.engine == "postgresql"
    addresses = [
        policy.to.postgresql if postgresql and not database else "",
        values.opentelemetry.endpoint if values.opentelemetry.enabled else "",
        policy.to.mlflow,
        policy.to.notifications,
        policy.to.identity_provider if values.auth.mode == "proxy" else "",
        values.proxy.http,
        values.proxy.https,
    ]
    hosts = [urlsplit(address).hostname or "" for address in addresses] + [database] * postgresql
    blocks = [to.get("ipBlock") or {} for rule in policy.extra_egress for to in rule.get("to") or []]
    own = [f"{host}/{128 if ':' in host else 32}" for host in hosts if ":" in host or re.fullmatch(r"[0-9.]+", host)]
    return own + [str(block["cidr"]) for block in blocks if block.get("cidr")]


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _invalid_addresses(version: int) -> Callable[[ChartValues], SentenceArguments]:
    def found(values: ChartValues) -> SentenceArguments:
        texts = [text for text in _allowed_destinations(values) if (6 if ":" in text else 4) == version]
        dotted = [text for text in texts if version == 6 and "." in text]
        return [(text.partition("/")[0],) for text in texts if text in dotted or _network(text) is None]

    return found


def _ipv4_in_ipv6(values: ChartValues) -> SentenceArguments:
    outer = [IPv6Network("::/96"), IPv6Network("::ffff:0:0/96")]
    networks = [(text, _network(text)) for text in _allowed_destinations(values)]
    return [
        (text,)
        for text, one in networks
        if isinstance(one, IPv6Network) and any(map(one.subnet_of, outer)) and not one.subnet_of(_THIS_MACHINE)
    ]


def _reachable_metadata_services(values: ChartValues) -> SentenceArguments:
    """Return each allowed destination inside a forbidden network, with that network."""
    networks = [(text, network) for text in _allowed_destinations(values) if (network := _network(text))]
    return [(text, outer) for text, inner in networks for outer in METADATA if _within(inner, outer)]


def _within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    return inner.version == outer.version and inner.network_address in outer and inner.prefixlen >= outer.prefixlen


NETWORK_CONTRADICTIONS: tuple[Contradiction[ChartValues], ...] = (
    Contradiction(
        _metadata_as_server,
        "`{}`: leads to where clouds give out credentials, or to no farther than a link; name the server itself.",
    ),
    Contradiction(
        _hidden_addresses,
        "`{}`: has its address in a form that hides where it leads; write it as four decimal numbers.",
    ),
    Contradiction(
        lambda values: (
            values.opentelemetry.enabled and values.network_policy.enabled and not values.opentelemetry.endpoint
        ),
        "opentelemetry.enabled is true, but the NetworkPolicy would not let the traces out. Set opentelemetry.endpoint "
        "to the collector's address, or networkPolicy.enabled to false.",
    ),
    Contradiction(
        lambda values: (
            values.notifications.enabled
            and not (values.notifications.url or values.notifications_webhook.existing_secret.name)
        ),
        "notifications.enabled is true, but nothing says where the webhook is. Set notifications.url, or "
        "notificationsWebhook.existingSecret.name to a Secret with its address.",
    ),
    Contradiction(
        lambda values: (
            values.notifications.enabled
            and bool(values.notifications_webhook.existing_secret.name)
            and values.network_policy.enabled
            and not (values.network_policy.to.notifications or values.proxy.http or values.proxy.https)
        ),
        "notificationsWebhook.existingSecret holds the webhook's address, but the NetworkPolicy would not let Canopy "
        "out to it. Set networkPolicy.to.notifications to its host, such as https://hooks.slack.com, or "
        "networkPolicy.enabled to false.",
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
        _invalid_addresses(6), "networkPolicy has {}, which is no address of IPv6. Write IPv4 addresses as such."
    ),
    Contradiction(
        _invalid_addresses(4),
        "networkPolicy has {}, which is no address of IPv4. Write it as four numbers, without zeros before them.",
    ),
    Contradiction(_ipv4_in_ipv6, "networkPolicy has {}, which is IPv4 written as IPv6. Write IPv4 addresses as such."),
    Contradiction(
        _reachable_metadata_services,
        "networkPolicy lets nobody out to {}: {} is where clouds give out credentials. Name another address.",
    ),
)
