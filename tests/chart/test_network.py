"""The ways in, and what the NetworkPolicy lets in and out."""

from typing import Any

import pytest

from tests.chart.conftest import MINIMAL, Object, container, environment, find
from tests.support.helm import Helm, HelmError
from tests.support.metadata import METADATA_ADDRESSES

OWN: Object = {"podSelector": {}}
METADATA = {
    "0.0.0.0/0": ["169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32"],
    "::/0": [
        "fe80::/10",
        *("fd00:ec2::254/128", "fd20:ce::254/128", "fd00:c1::a9fe:a9fe/128", "fd00:42::42/128"),
        *("64:ff9b::a9fe:0/112", "64:ff9b::6464:64c8/128", "64:ff9b::a83f:8110/128", "64:ff9b::c000:c0/128"),
    ],
}
PRIVATE = [block for block in METADATA["::/0"] if block.startswith("fd")]
TRANSLATED = [block for block in METADATA["::/0"] if block.startswith("64:")]
ANYWHERE = [{"ipBlock": {"cidr": cidr, "except": without}} for cidr, without in METADATA.items()]


def namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


PROMETHEUS = [
    {"namespaceSelector": {"matchLabels": {"network.openshift.io/policy-group": "monitoring"}}},
    namespace("monitoring"),
]


def policy(helm: Helm, *arguments: str, values: str = "minimal") -> Object:
    spec: Object = find(helm.render("--values", MINIMAL.with_name(f"{values}.yaml"), *arguments), "NetworkPolicy")[
        "spec"
    ]
    return spec


def let_out(spec: Object) -> dict[int, list[Object]]:
    """The destinations behind DNS, by port."""
    return {port["port"]: rule["to"] for rule in spec["egress"][1:] for port in rule["ports"]}


def test_router_prometheus_and_the_own_namespace_get_in_and_nobody_else(helm: Helm) -> None:
    spec = policy(helm)
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert {rule["ports"][0]["port"]: rule["from"] for rule in spec["ingress"]} == {
        "http": [
            OWN,
            {"namespaceSelector": {"matchLabels": {"policy-group.network.openshift.io/ingress": ""}}},
            namespace("ingress-nginx"),
        ],
        "operations": [OWN, *PROMETHEUS],
    }


@pytest.mark.parametrize("values", ["minimal", "proxy"])
def test_namespaces_of_clients_get_in_where_the_router_does(helm: Helm, values: str) -> None:
    clients = "networkPolicy.from.clients[0].matchLabels.kubernetes\\.io/metadata\\.name=canopy-pipelines"
    before = policy(helm, values=values)["ingress"]
    after = policy(helm, "--set", clients, values=values)["ingress"]
    assert [one for one in after[0]["from"] if one not in before[0]["from"]] == [namespace("canopy-pipelines")]
    assert after[1:] == before[1:]


@pytest.mark.parametrize("values", ["minimal", "proxy"])
def test_the_gateway_of_an_httproute_gets_in(helm: Helm, values: str) -> None:
    gateway = (
        "httpRoute.enabled=true",
        "httpRoute.parentRefs[0].name=public",
        "httpRoute.parentRefs[0].namespace=edge",
    )
    before = policy(helm, values=values)["ingress"]
    after = policy(helm, *(part for one in gateway for part in ("--set", one)), values=values)["ingress"]
    assert [one for one in after[0]["from"] if one not in before[0]["from"]] == [namespace("edge")]
    assert after[1:] == before[1:]


def test_dns_is_let_out_on_kubernetes_and_on_openshift(helm: Helm) -> None:
    dns = policy(helm)["egress"][0]
    assert {(port["protocol"], port["port"]) for port in dns["ports"]} == {
        ("UDP", 53),
        ("TCP", 53),
        ("UDP", 5353),
        ("TCP", 5353),
    }
    names = dns["to"][0]["namespaceSelector"]["matchExpressions"][0]["values"]
    assert names == ["kube-system", "openshift-dns"]


def test_with_nothing_else_set_only_llama_stack_is_let_out(helm: Helm) -> None:
    assert let_out(policy(helm)) == {8321: [OWN]}


def test_production_lets_out_what_it_has_and_no_more(helm: Helm) -> None:
    assert let_out(policy(helm, values="prod")) == {
        8321: [namespace("models")],
        5432: [OWN],
        5000: [namespace("mlops")],
        443: ANYWHERE,
    }


def test_traces_are_let_out_to_the_collector(helm: Helm) -> None:
    assert let_out(policy(helm, values="lab")) == {8321: [OWN], 4318: [namespace("observability-hub")]}


@pytest.mark.parametrize(
    ("url", "port", "to"),
    [
        ("http://llama-stack", 80, [OWN]),
        ("https://llama-stack.models.svc.cluster.local", 443, [namespace("models")]),
        ("http://llama-stack.models:8321/v1", 8321, [namespace("models"), *ANYWHERE]),
        ("https://models.example.com", 443, ANYWHERE),
        ("http://10.1.2.3:9000", 9000, [{"ipBlock": {"cidr": "10.1.2.3/32"}}]),
        ("http://[fd00::7]:9000", 9000, [{"ipBlock": {"cidr": "fd00::7/128"}}]),
    ],
)
def test_the_address_of_llama_stack_decides_where_it_is_let_out_to(
    helm: Helm, url: str, port: int, to: list[Object]
) -> None:
    assert let_out(policy(helm, "--set", f"LLAMA_STACK_URL={url}")) == {port: to}


@pytest.mark.parametrize(
    ("value", "address", "port", "to"),
    [
        ("identityProvider", "https://sso.example.com/realms/canopy", 443, ANYWHERE),
        ("identityProvider", "https://sso.example.com:8443/realms/canopy/", 8443, ANYWHERE),
        ("identityProvider", "http://keycloak.sso.svc:8080/auth/realms/a%20b", 8080, [namespace("sso")]),
        ("mlflow", "http://mlflow:5000/mlflow", 5000, [OWN]),
        ("notifications", "https://hooks.slack.com:444/services", 444, ANYWHERE),
        ("postgresql", "postgresql://db.data.svc/canopy", 5432, [namespace("data")]),
    ],
)
def test_the_path_of_a_copied_address_says_nothing_of_where_it_is(
    each_helm: Helm, value: str, address: str, port: int, to: list[Object]
) -> None:
    assert let_out(policy(each_helm, "--set", f"networkPolicy.to.{value}={address}", values="proxy"))[port] == to


@pytest.mark.parametrize(
    "address", ["https://user:s3cret@sso.example.com/realms", "https://sso.example.com/?key=s3cret", "sso.example.com"]
)
def test_an_address_with_credentials_or_without_a_scheme_is_refused(each_helm: Helm, address: str) -> None:
    with pytest.raises(HelmError, match="values don't meet the specifications of the schema"):
        policy(each_helm, "--set", f"networkPolicy.to.identityProvider={address}", values="proxy")


def test_rules_of_ones_own_are_added(helm: Helm) -> None:
    spec = policy(helm, values="everything-on")
    assert spec["ingress"][2:] == [
        {"from": [{"namespaceSelector": {"matchLabels": {"team": "friends"}}}], "ports": [{"port": 8000}]}
    ]
    assert spec["egress"][-1] == {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 443}]}


@pytest.mark.parametrize(
    ("cidr", "without"),
    [
        *METADATA.items(),
        ("169.0.0.0/8", ["169.254.0.0/16"]),
        ("128.0.0.0/2", ["169.254.0.0/16", "168.63.129.16/32"]),
        ("160.0.0.0/3", ["169.254.0.0/16", "168.63.129.16/32"]),
        ("100.64.0.0/10", ["100.100.100.200/32"]),
        ("fd00::/8", PRIVATE),
        ("FC00::/7", PRIVATE),
        ("fd00:0ec2::/32", ["fd00:ec2::254/128"]),
        ("fd00:ec2:0:0::/64", ["fd00:ec2::254/128"]),
        ("fd20::/16", ["fd20:ce::254/128"]),
        ("8000::/1", ["fe80::/10", *PRIVATE]),
        ("fe00::/8", ["fe80::/10"]),
        ("::/1", TRANSLATED),
        ("64:ff9b::/96", TRANSLATED),
        ("10.0.0.0/8", None),
        ("2001:db8::/32", None),
    ],
)
def test_a_block_that_holds_the_metadata_service_leaves_it_out(
    helm: Helm, cidr: str, without: list[str] | None
) -> None:
    spec = policy(helm, "--set", f"networkPolicy.extraEgress[0].to[0].ipBlock.cidr={cidr}")
    (to,) = spec["egress"][-1]["to"]
    assert to == {"ipBlock": {"cidr": cidr} | ({"except": without} if without else {})}


def test_a_rule_to_everywhere_leaves_the_metadata_service_out(helm: Helm) -> None:
    spec = policy(helm, "--set", "networkPolicy.extraEgress[0].ports[0].port=443")
    assert spec["egress"][-1] == {"to": [{"namespaceSelector": {}}, *ANYWHERE], "ports": [{"port": 443}]}


def test_the_webhook_is_let_out_to_while_it_is_told(helm: Helm) -> None:
    at = ("--set", "notifications.url=http://relay.chat.svc:8065/hooks/x")
    assert 8065 not in let_out(policy(helm, *at))
    assert let_out(policy(helm, *at, "--set", "notifications.enabled=true"))[8065] == [namespace("chat")]


@pytest.mark.parametrize("value", ["LLAMA_STACK_URL", "mlflow.url", "notifications.url", "opentelemetry.endpoint"])
@pytest.mark.parametrize("address", METADATA_ADDRESSES)
def test_a_server_at_the_metadata_service_is_refused(helm: Helm, value: str, address: str) -> None:
    with pytest.raises(
        HelmError, match=rf"`{value}`: (leads to where clouds give out|has its address in a form that hides)"
    ):
        policy(helm, "--set", f"{value}={address}", "--set", "networkPolicy.enabled=false")


@pytest.mark.parametrize(
    "setting",
    [
        *(
            f"networkPolicy.extraEgress[0].to[0].ipBlock.cidr={cidr}"
            for cidr in (
                *("169.254.169.254/32", "169.254.128.0/17", "fd00:ec2:0:0:0:0:0:254/128", "FD20:CE::254/128"),
                *("febf::/16", "FE80::1/64", "64:ff9b::a9fe:a9fe/128"),
            )
        ),
    ],
)
def test_the_metadata_service_itself_is_refused(helm: Helm, setting: str) -> None:
    with pytest.raises(HelmError, match="where clouds give out credentials"):
        policy(helm, "--set", setting)


@pytest.mark.parametrize(
    "cidr",
    [
        *("169.0254.169.254/32", "0169.254.0.0/16"),
        *("::ffff:169.254.169.254/128", "::ffff:a9fe:a9fe/128", "::ffff:0:0/96", "::a9fe:a9fe/128"),
    ],
)
def test_a_block_in_a_form_that_hides_the_metadata_service_is_refused(helm: Helm, cidr: str) -> None:
    with pytest.raises(HelmError, match=r"which is (no address of IPv4|no address of IPv6|IPv4 written as IPv6)"):
        policy(helm, "--set", f"networkPolicy.extraEgress[0].to[0].ipBlock.cidr={cidr}")


def test_the_route_is_encrypted_and_waits_as_long_as_a_stream_may_take(helm: Helm) -> None:
    route = find(helm.render("--values", MINIMAL.with_name("route.yaml")), "Route")
    assert route["spec"]["host"] == "canopy.apps.example.com"
    assert route["spec"]["to"]["name"] == "canopy-backend"
    assert route["spec"]["tls"] == {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"}
    assert route["metadata"]["annotations"] == {
        "haproxy.router.openshift.io/timeout": "240s",
        "haproxy.router.openshift.io/balance": "leastconn",
    }


@pytest.mark.parametrize("insecure", ["Allow", "None"])
def test_unencrypted_requests_are_answered_only_where_the_values_say_so(helm: Helm, insecure: str) -> None:
    setting = ("--set", f"route.insecurePolicy={insecure}")
    route = find(helm.render("--values", MINIMAL.with_name("route.yaml"), *setting), "Route")
    assert route["spec"]["tls"]["insecureEdgeTerminationPolicy"] == insecure


def test_the_ingress_has_its_class_hosts_and_certificate(helm: Helm) -> None:
    ingress = find(helm.render("--values", MINIMAL.with_name("ingress.yaml")), "Ingress")
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["canopy.example.com", "*.canopy.example.com"]
    assert ingress["spec"]["tls"] == [
        {"secretName": "canopy-tls", "hosts": ["canopy.example.com", "*.canopy.example.com"]}
    ]


NGINX = {
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "240",
    "nginx.ingress.kubernetes.io/proxy-body-size": "20000000",
    "nginx.org/proxy-read-timeout": "240s",
    "nginx.org/client-max-body-size": "20000000",
}
ALB = {
    "alb.ingress.kubernetes.io/load-balancer-attributes": "idle_timeout.timeout_seconds=240",
    "alb.ingress.kubernetes.io/target-type": "ip",
}
AZURE = {"appgw.ingress.kubernetes.io/request-timeout": "240"}


@pytest.mark.parametrize(
    ("name", "controller", "annotations"),
    [
        ("nginx", "", NGINX),
        ("internal", "", NGINX),  # a name of one's own, most often for nginx
        ("", "", NGINX),
        ("openshift-default", "", {"haproxy.router.openshift.io/timeout": "240s"}),
        ("haproxy", "", {"haproxy.org/timeout-server": "240s", "haproxy-ingress.github.io/timeout-server": "240s"}),
        ("alb", "", ALB),
        ("azure-application-gateway", "", AZURE),
        ("webapprouting.kubernetes.azure.com", "nginx", NGINX),
        ("contour", "", {"projectcontour.io/response-timeout": "240s"}),
        ("traefik", "", {}),
        ("internal", "alb", ALB),
        ("nginx", "none", {}),
    ],
)
def test_the_ingress_tells_its_controller_to_wait_as_long_as_a_stream_and_no_other(
    helm: Helm, name: str, controller: str, annotations: dict[str, str]
) -> None:
    """And, where a controller bounds bodies, to take those that the server takes."""
    own = ("--set", f"ingress.className={name}", "--set", f"ingress.controller={controller}")
    ingress = find(helm.render("--values", MINIMAL.with_name("ingress.yaml"), *own), "Ingress")
    assert ingress["metadata"].get("annotations", {}) == annotations


def test_annotations_of_ones_own_win_over_the_controllers(helm: Helm) -> None:
    own = ("--set-string", r"ingress.annotations.nginx\.ingress\.kubernetes\.io/proxy-read-timeout=30")
    ingress = find(helm.render("--values", MINIMAL.with_name("ingress.yaml"), *own), "Ingress")
    assert ingress["metadata"]["annotations"] == NGINX | {"nginx.ingress.kubernetes.io/proxy-read-timeout": "30"}


def test_the_http_route_cuts_no_stream(helm: Helm) -> None:
    route = find(helm.render("--values", MINIMAL.with_name("httproute.yaml")), "HTTPRoute")
    (rule,) = route["spec"]["rules"]
    assert rule["backendRefs"] == [{"name": "canopy-backend", "port": 8000}]
    assert rule["timeouts"] == {"request": "0s"}
    assert route["spec"]["parentRefs"] == [{"name": "public", "namespace": "gateways", "sectionName": "https"}]


def test_prometheus_scrapes_the_service(helm: Helm) -> None:
    objects = helm.render("--values", MINIMAL.with_name("prod.yaml"))
    monitor, service = find(objects, "ServiceMonitor"), find(objects, "Service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    (target,) = [port["targetPort"] for port in service["spec"]["ports"] if port["name"] == endpoint["port"]]
    ports = {port["name"]: port["containerPort"] for port in container(objects)["ports"]}
    assert str(ports[target]) == environment(objects)["CANOPY_OPERATIONS_PORT"]
    assert endpoint["path"] == "/metrics"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_in_proxy_mode_every_way_in_leads_to_the_proxy_and_only_operations_past_it(helm: Helm) -> None:
    objects = helm.render("--values", MINIMAL.with_name("proxy.yaml"))
    ports = {port["name"]: (port["port"], port["targetPort"]) for port in find(objects, "Service")["spec"]["ports"]}
    assert ports == {"http": (8000, "proxy"), "metrics": (8001, "operations")}
    assert find(objects, "Route")["spec"]["port"] == {"targetPort": "http"}  # the Service's port of that name
    assert find(objects, "ServiceMonitor")["spec"]["endpoints"][0]["port"] == "metrics"
    spec = find(objects, "NetworkPolicy")["spec"]
    sources = {rule["ports"][0]["port"]: rule["from"] for rule in spec["ingress"]}
    assert sources.keys() == {"proxy", "operations"}
    assert OWN in sources["proxy"]
    assert sources["operations"] == [OWN, *PROMETHEUS]
    assert let_out(spec)[443] == ANYWHERE
