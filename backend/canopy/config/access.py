"""The sections `auth` and `rate_limits`: who may do what, and how often."""

import re
from ipaddress import IPv6Network, ip_address, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from canopy.config.section import Section

_IPV4_IN_IPV6 = IPv6Network("::ffff:0:0/96")


def _network(text: str) -> str:
    """Return the text; raise ValueError unless it is a network. `canopy.checkTrustedProxies` in the chart agrees."""
    mapped = "is IPv4 written as IPv6; write it as IPv4, which counts for both"
    if ":" in text and "." in text:
        raise ValueError(mapped)
    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError("must be a network such as `10.0.0.0/8` or an address such as `10.1.2.3`") from error
    if isinstance(network, IPv6Network) and network.subnet_of(_IPV4_IN_IPV6):
        raise ValueError(mapped)
    if network.network_address != ip_address(text.partition("/")[0]):
        raise ValueError(
            "is an address within its network; write the network's own, such as `10.0.0.0/8` for `10.1.2.3/8`, or the "
            "address without a prefix"
        )
    return text


Network = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F.:]+(/[0-9]{1,3})?$"), AfterValidator(_network)]
Person = Annotated[str, StringConstraints(min_length=1, max_length=200)]

# Headers with a meaning of their own in HTTP, or that clients and other proxies set.
RESERVED_HEADERS = (
    r"(?i)^((accept|access-control|cache|content|if|proxy|sec)-.+|x-forwarded-(for|host|port|prefix|proto|scheme|server)"
    r"|accept|authorization|baggage|connection|cookie|date|expect|forwarded|from|host|idempotency-key|keep-alive"
    r"|max-forwards|origin|pragma|priority|range|referer|te|trailer|traceparent|tracestate|transfer-encoding|upgrade"
    r"|user-agent|via|warning|www-authenticate|x-http-method-override|x-real-ip|x-request-id|x-requested-with"
    r"|x-session-id)$"
)


def _own_header(name: str) -> str:
    if re.match(RESERVED_HEADERS, name):
        raise ValueError("means something else in HTTP; name a header of the proxy's own, such as `X-Forwarded-User`")
    return name


_HEADER = r"[A-Za-z][A-Za-z0-9-]{0,63}"
HeaderName = Annotated[str, StringConstraints(pattern=rf"^{_HEADER}$"), AfterValidator(_own_header)]
OptionalHeader = Annotated[str, StringConstraints(pattern=rf"^({_HEADER})?$"), AfterValidator(_own_header)]
Separator = Annotated[str, StringConstraints(pattern=r"^[,;| ]?$")]
OwnPath = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9_][A-Za-z0-9_./?=&%-]*)?$", max_length=200)]
Rate = Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]{0,6}/(second|minute|hour|day))?$")]


class AuthValues(Section):
    """The section `auth`."""

    mode: Literal["open", "token", "proxy"] = Field(
        "open",
        description="`open`: everybody may do everything. `token`: with tokens from a Secret. `proxy`: an OAuth proxy.",
    )
    reviewer_users: list[Person] = Field(
        [], description="Behind a proxy: users who may read texts, each exactly as the proxy names them."
    )
    reviewer_emails: list[Person] = Field(
        [], description="Behind a proxy: e-mail addresses, in upper or lower case, of people who may read texts."
    )
    reviewer_groups: list[Person] = Field([], description="Behind a proxy: groups whose members may read texts.")
    controller_users: list[Person] = Field(
        [],
        description="Behind a proxy: users, such as service accounts, who may read decisions on experiments alone.",
    )
    trusted_proxies: list[Network] = Field(
        ["127.0.0.1/32", "::1/128"], min_length=1, description="Networks that the proxy connects from."
    )
    secret_header: HeaderName = Field(
        "X-Canopy-Proxy-Secret",
        description="The header with the proxy's secret, where it isn't the password of `Authorization: Basic`.",
    )
    user_header: HeaderName = Field("X-Forwarded-User", description="The proxy's header with the user.")
    email_header: OptionalHeader = Field(
        "", description="The proxy's header with the e-mail address. Empty: none is read."
    )
    groups_header: OptionalHeader = Field("", description="The proxy's header with the groups. Empty: none is read.")
    groups_separator: Separator = Field(
        "", description="What stands between two groups in that header. Empty: it holds a JSON list."
    )
    sign_out_path: OwnPath = Field("", description="Where the proxy signs people out, such as `/oauth2/sign_out`.")


class RateLimitValues(Section):
    """The section `rate_limits`: requests per client, and bytes and votes stored per day."""

    summarize: Rate = Field(
        "60/minute",
        description="Answers of all features: to texts, to follow-up questions, in comparisons. Empty: no limit.",
    )
    feedback: Rate = Field("600/minute", description="Votes, ballots, and votes taken back. Empty: no limit.")
    read: Rate = Field("600/minute", description="Pages, lists, statistics and exports. Empty: no limit.")
    bytes_per_day: int = Field(
        50_000_000, ge=0, description="Bytes that a user may have stored in a day, questions and answers. 0: no limit."
    )
    open_bytes_per_day: int = Field(
        1_000_000_000, ge=0, description="Bytes a day of all whom Canopy doesn't know, together. 0: no limit."
    )
    foreign_votes_per_day: int = Field(
        1_000, ge=0, description="Votes a day of a user on texts that Canopy didn't make. 0: no limit."
    )
    by_address: bool = Field(
        False, description="With `auth.mode: open`: limit each address. Behind a router everybody may have the same."
    )


def refuse_silent_opening(before: AuthValues | None, after: AuthValues, *, identities_expected: bool) -> None:
    """Raise ValueError if everybody would have access although the file doesn't say `auth.mode: open`.

    A file that lost its section `auth` by accident reads like one that never had it. So the mode must be explicit if
    the values in force (`before`; None at the start) have another one, or if the process was given a file of tokens or
    of the proxy's secret (`identities_expected`).
    """
    if after.mode != "open" or "mode" in after.model_fields_set:
        return
    if before is not None and before.mode != "open":
        raise ValueError(
            f"`auth.mode` is missing, and it was `{before.mode}`: without it everybody could do everything. Say "
            "`auth.mode: open` where that is meant."
        )
    if identities_expected:
        raise ValueError(
            "`auth.mode` is missing, but there is a file of tokens or of the proxy's secret. Say `token`, `proxy` or, "
            "where everybody may do everything, `open`."
        )
