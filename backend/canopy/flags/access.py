"""The values that say who may do what, and how often."""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from canopy.flags.section import Section


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError as error:
        raise ValueError("must be a network such as `10.0.0.0/8` or an address such as `10.1.2.3`") from error
    return text


Network = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F.:]+(/[0-9]{1,3})?$"), AfterValidator(_network)]
Person = Annotated[str, StringConstraints(min_length=1, max_length=200)]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")]
OwnPath = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9_][A-Za-z0-9_./?=&%-]*)?$", max_length=200)]
Rate = Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]{0,6}/(second|minute|hour|day))?$")]


class AuthValues(Section):
    """Who may do what."""

    mode: Literal["open", "token", "proxy"] = Field(
        "open",
        description="`open`: everybody may do everything. `token`: with tokens from a Secret. `proxy`: an OAuth proxy.",
    )
    reviewer_users: list[Person] = Field(
        [], description="Behind a proxy: users, or their e-mail addresses, who may read texts."
    )
    reviewer_groups: list[Person] = Field([], description="Behind a proxy: groups whose members may read texts.")
    trusted_proxies: list[Network] = Field(
        ["127.0.0.1/32", "::1/128"], min_length=1, description="Networks that the proxy connects from."
    )
    user_header: HeaderName = Field("X-Forwarded-User", description="The proxy's header with the user.")
    email_header: HeaderName = Field("X-Forwarded-Email", description="The proxy's header with the e-mail address.")
    groups_header: HeaderName = Field("X-Forwarded-Groups", description="The proxy's header with the groups.")
    sign_out_path: OwnPath = Field("", description="Where the proxy signs people out, such as `/oauth2/sign_out`.")


class RateLimitValues(Section):
    """How often each client may ask, on each replica."""

    summarize: Rate = Field("60/minute", description="Summaries, follow-up questions and comparisons. Empty: no limit.")
    feedback: Rate = Field("600/minute", description="Votes, ballots, and votes taken back. Empty: no limit.")
    read: Rate = Field("600/minute", description="Pages, lists, statistics and exports. Empty: no limit.")
    by_address: bool = Field(
        False, description="With `auth.mode: open`: limit each address. Behind a router everybody may have the same."
    )
