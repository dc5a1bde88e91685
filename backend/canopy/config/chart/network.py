"""Routes into the cluster, the proxy out of it, and the NetworkPolicy."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from canopy.config.chart.types import Address, ChartSection, Destination, DnsName, Host, ObjectList, StringMap

# A host name, an address or a network, without the separators of the variable NO_PROXY.
NoProxy = Annotated[str, StringConstraints(pattern=r"^[!-+.0-~-]+(/[0-9]{1,3})?$")]


class Route(ChartSection):
    """Defines the section `route`: OpenShift's Route."""

    enabled: bool = False
    host: Host = ""
    insecure_policy: Literal["Redirect", "Allow", "None"] = "Redirect"
    annotations: StringMap = Field({})


class Ingress(ChartSection):
    """Defines the section `ingress`: Kubernetes' Ingress."""

    enabled: bool = False
    class_name: DnsName = ""
    controller: Literal["", "nginx", "openshift", "haproxy", "alb", "azure", "contour", "none"] = ""
    hosts: list[Host] = Field([])
    tls_secret: DnsName = ""
    annotations: StringMap = Field({})


class HttpRoute(ChartSection):
    """Defines the section `httpRoute`: the Gateway API's HTTPRoute."""

    enabled: bool = False
    parent_refs: ObjectList = Field([])
    hostnames: list[Host] = Field([])
    annotations: StringMap = Field({})


class Proxy(ChartSection):
    """Defines the section `proxy`: the proxy for outgoing connections."""

    http: Address = ""
    https: Address = ""
    no: list[NoProxy] = Field([])


class CaBundle(ChartSection):
    """Defines the section `caBundle`: a ConfigMap with CA certificates to trust in addition to the image's."""

    config_map: DnsName = ""
    key: str = Field("ca-bundle.crt", min_length=1)


class AllowedSources(ChartSection):
    """Selects the namespaces that may connect to the pods, in addition to the release's own."""

    router: ObjectList = Field(
        [
            {"matchLabels": {"policy-group.network.openshift.io/ingress": ""}},
            {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}},
        ]
    )
    clients: ObjectList = Field([])
    prometheus: ObjectList = Field(
        [
            {"matchLabels": {"network.openshift.io/policy-group": "monitoring"}},
            {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
        ]
    )


class AllowedDestinations(ChartSection):
    """Lists addresses that the pods may connect to, in addition to LLAMA_STACK_URL and the OpenTelemetry collector."""

    postgresql: Destination = "postgresql://postgresql:5432"
    mlflow: Destination = ""
    notifications: Destination = ""
    identity_provider: Destination = ""


class NetworkPolicy(ChartSection):
    """Defines the section `networkPolicy`: who may connect to the pods, and where they may connect to."""

    enabled: bool = True
    from_: AllowedSources = Field(AllowedSources(), alias="from")
    to: AllowedDestinations = AllowedDestinations()
    extra_ingress: ObjectList = Field([])
    extra_egress: ObjectList = Field([])
