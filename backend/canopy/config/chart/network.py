"""The ways in, and what the NetworkPolicy lets in and out."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from canopy.config.chart.types import Address, ChartSection, Destination, DnsName, Host, Objects, Texts

# A name, an address or a network: what stands between two of them in NO_PROXY is in none.
NoProxy = Annotated[str, StringConstraints(pattern=r"^[!-+.0-~-]+(/[0-9]{1,3})?$")]


class Route(ChartSection):
    """OpenShift's way in."""

    enabled: bool = False
    host: Host = ""
    insecure_policy: Literal["Redirect", "Allow", "None"] = "Redirect"
    annotations: Texts = Field({})


class Ingress(ChartSection):
    """Kubernetes' way in."""

    enabled: bool = False
    class_name: DnsName = ""
    controller: Literal["", "nginx", "openshift", "haproxy", "alb", "azure", "contour", "none"] = ""
    hosts: list[Host] = Field([])
    tls_secret: DnsName = ""
    annotations: Texts = Field({})


class HttpRoute(ChartSection):
    """The Gateway API's way in."""

    enabled: bool = False
    parent_refs: Objects = Field([])
    hostnames: list[Host] = Field([])
    annotations: Texts = Field({})


class Proxy(ChartSection):
    """The way out, where there is none but through a proxy."""

    http: Address = ""
    https: Address = ""
    no: list[NoProxy] = Field([])


class CaBundle(ChartSection):
    """A ConfigMap with certificates of authorities to trust beside the image's own."""

    config_map: DnsName = ""
    key: str = Field("ca-bundle.crt", min_length=1)


class Sources(ChartSection):
    """Namespaces that may connect, beside the own one."""

    router: Objects = Field(
        [
            {"matchLabels": {"policy-group.network.openshift.io/ingress": ""}},
            {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}},
        ]
    )
    clients: Objects = Field([])
    prometheus: Objects = Field(
        [
            {"matchLabels": {"network.openshift.io/policy-group": "monitoring"}},
            {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
        ]
    )


class Destinations(ChartSection):
    """Addresses that may be connected to, beside LLAMA_STACK_URL and the collector."""

    postgresql: Destination = "postgresql://postgresql:5432"
    mlflow: Destination = ""
    identity_provider: Destination = ""


class NetworkPolicy(ChartSection):
    """Who may connect to the pods, and where they may connect to."""

    enabled: bool = True
    from_: Sources = Field(Sources(), alias="from")
    to: Destinations = Destinations()
    extra_ingress: Objects = Field([])
    extra_egress: Objects = Field([])
