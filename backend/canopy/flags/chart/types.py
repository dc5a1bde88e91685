"""The texts, numbers and lists that the chart's own values are made of."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

type Texts = dict[str, str]
type Objects = list[dict[str, Any]]

DnsName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", max_length=253)]
Host = Annotated[str, StringConstraints(pattern=r"^((\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", max_length=253)]
Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?([munkKMGTPE]|[KMGTPE]i)?$")] | int | float
Size = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?([kMGTPE]|[KMGTPE]i)?$")]
Digest = Annotated[str, StringConstraints(pattern=r"^(sha256:[0-9a-f]{64})?$")]
Tag = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$")]
Repository = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9._/:-]*$")]
Address = Annotated[str, StringConstraints(pattern=r"^((https?|postgresql)://[^/?#@\s]+/?)?$")]
# An address of which the host and the port count, as people copy it: with the path of a realm, an API or a database.
Destination = Annotated[str, StringConstraints(pattern=r"^((https?|postgresql)://[^/?#@\s]+(/[^?#@\s]*)?)?$")]
Duration = Annotated[str, StringConstraints(pattern=r"^[0-9]+(ms|s|m)$")]


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
