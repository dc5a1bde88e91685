"""Types of the chart's own values, and the base class of its sections."""

import re
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic.alias_generators import to_camel

from canopy.base.validators import without_nul
from canopy.config.section import HelmModel
from canopy.config.server_urls import HOST, PATH, PORT, split_url

type StringMap = dict[str, Annotated[str, AfterValidator(without_nul)]]
type ObjectList = list[dict[str, Any]]

DnsName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", max_length=253)]
Host = Annotated[str, StringConstraints(pattern=r"^((\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", max_length=253)]
Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?([munkKMGTPE]|[KMGTPE]i)?$")] | int | float
Size = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?([kMGTPE]|[KMGTPE]i)?$")]
Digest = Annotated[str, StringConstraints(pattern=r"^(sha256:[0-9a-f]{64})?$")]
Tag = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$")]
ImageName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][A-Za-z0-9._/:@-]*)?$")]
Schedule = Annotated[str, StringConstraints(pattern=r"^(@[a-z]+|[!-~]+( [!-~]+){4})$")]
Repository = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9._/:-]*$")]


def _matching(pattern: re.Pattern[str], example: str) -> Callable[[str], str]:
    def check(address: str) -> str:
        if not pattern.fullmatch(address):
            raise ValueError(f"must be an address such as `{example}`, without spaces, credentials and a query")
        split_url(address)
        return address

    return check


_ADDRESS = re.compile(rf"^(https?://{HOST}{PORT}/?)?$")
_DESTINATION = re.compile(rf"^((https?|postgresql)://{HOST}{PORT}{PATH})?$")
Address = Annotated[
    str,
    AfterValidator(_matching(_ADDRESS, "http://collector.tracing.svc:4318")),
    WithJsonSchema({"type": "string", "pattern": _ADDRESS.pattern}),
]
# Only host and port are used. People paste the whole URL of a realm, an API or a database, so a path is allowed.
Destination = Annotated[
    str,
    AfterValidator(_matching(_DESTINATION, "https://sso.example.com")),
    WithJsonSchema({"type": "string", "pattern": _DESTINATION.pattern}),
]


def _host(text: str) -> str:
    if ":" in text:
        try:
            IPv6Address(text)
        except ValueError:
            raise ValueError(f"has {text}, which is no address of IPv6") from None
    return text


DatabaseHost = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_-]*$", max_length=253), AfterValidator(_host)]
DatabaseName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$")]
DatabaseUser = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,199}$")]
Duration = Annotated[str, StringConstraints(pattern=r"^[0-9]+(ms|s|m)$")]
OptionalDuration = Annotated[str, StringConstraints(pattern=r"^([0-9]+(ms|s|m))?$")]


class ChartSection(HelmModel):
    """Is the base of all sections: exact types, and keys in camel case, as in Kubernetes; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)


class Switch(ChartSection):
    """Defines a section with nothing but `enabled`."""

    enabled: bool = True


class Resources(ChartSection):
    """Holds a container's resource requests and limits."""

    requests: dict[str, Quantity] = Field({"cpu": "100m", "memory": "256Mi"})
    limits: dict[str, Quantity] = Field({"memory": "512Mi"})
