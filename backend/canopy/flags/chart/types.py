"""The texts, numbers and lists that the chart's own values are made of."""

from ipaddress import IPv6Address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

type Texts = dict[str, str]
type Objects = list[dict[str, Any]]

DnsName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", max_length=253)]
Host = Annotated[str, StringConstraints(pattern=r"^((\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", max_length=253)]
Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?([munkKMGTPE]|[KMGTPE]i)?$")] | int | float
Size = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?([kMGTPE]|[KMGTPE]i)?$")]
Digest = Annotated[str, StringConstraints(pattern=r"^(sha256:[0-9a-f]{64})?$")]
Tag = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$")]
ImageName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][A-Za-z0-9._/:@-]*)?$")]
Schedule = Annotated[str, StringConstraints(pattern=r"^(@[a-z]+|\S+( \S+){4})$")]
Repository = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9._/:-]*$")]

# A name, an address of IPv4 or, in brackets, one of IPv6; with or without a port.
_HOST = r"(\[[0-9A-Fa-f:.]{2,45}\]|[^/?#@\s\[\]:]+)(:[0-9]{1,5})?"


def _with_a_host(address: str) -> str:
    """Refuse what stands in brackets and is no address, in the chart's words (`canopy.checkAddresses`)."""
    try:
        urlsplit(address)
    except ValueError:
        raise ValueError("has no address of IPv6 in its brackets; write one, such as `http://[fd00::7]:8080`") from None
    return address


_IS_ADDRESS = AfterValidator(_with_a_host)
Address = Annotated[str, StringConstraints(pattern=rf"^(https?://{_HOST}/?)?$"), _IS_ADDRESS]
# Of these the host and the port count: people copy them with the path of a realm, an API or a database.
Destination = Annotated[
    str, StringConstraints(pattern=rf"^((https?|postgresql)://{_HOST}(/[^?#@\s]*)?)?$"), _IS_ADDRESS
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


class Part(BaseModel):
    """A section of the values, written as Kubernetes writes its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)


class Switch(Part):
    """Something that is on or off."""

    enabled: bool = True


class Resources(Part):
    """What the container asks for and may use at most."""

    requests: dict[str, Quantity] = {"cpu": "100m", "memory": "256Mi"}
    limits: dict[str, Quantity] = {"memory": "512Mi"}
