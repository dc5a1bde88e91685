"""`helm test`: what its pod runs says what works, and what failed."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.chart.conftest import MINIMAL, find, is_hook
from tests.support.helm import Helm
from tests.support.model_scripts import SCRIPTS
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server


async def run(
    helm: Helm, url: str, values: Path = MINIMAL, operations: str | None = None, given: tuple[str, ...] = ()
) -> tuple[int, str]:
    """The pod's command as it was rendered, but with this Python, and at this address."""
    (pod,) = (one for one in helm.render("--values", values, *given) if one["kind"] == "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod["spec"]["containers"]
    script, *addresses, mode = container["args"][:4]
    assert addresses == ["http://canopy-backend:8000", "http://canopy-backend:8001"]
    assert container["command"] == ["python3", "-c"]
    # -I and -S: the image's python has the server's packages, but what it runs needs none of them.
    command = [sys.executable, "-I", "-S", "-c", script, url, operations or url, mode, *container["args"][4:]]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_it_asks_flags_a_summary_and_a_vote_and_leaves_no_vote(helm: Helm, tmp_path: Path) -> None:
    async with (
        FakeModelServer() as model,
        running_server(tmp_path, {"LLAMA_STACK_URL": model.url}, env={"CANOPY_OPERATIONS_PORT": "0"}) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        status, output = await run(helm, server.url, operations=server.operations_url)
        assert (status, [line.split(":")[0] for line in output.splitlines()]) == (
            0,
            ["ok      ready", "ok      flags", "ok      summarize", "ok      vote"],
        )
        assert len(server.events("feedback_submitted")) == 1
        assert (await client.get("/feedback")).json()["total"] == 0

        model.scripts["llama32"] = SCRIPTS["broken"]
        status, output = await run(helm, server.url)
        assert status == 1
        assert f"FAILED  POST {server.url}/summarize answered 502: " in output


@pytest.mark.parametrize(
    ("values", "last"),
    [
        ({"summarize": {"enabled": False}}, "skipped the answer and the vote: no feature is on"),
        ({"feedback": {"enabled": False}}, "skipped the vote: feedback is off"),
    ],
)
async def test_what_is_off_is_not_asked_for(helm: Helm, values: dict[str, Any], last: str, tmp_path: Path) -> None:
    async with (
        FakeModelServer() as model,
        running_server(tmp_path, {"LLAMA_STACK_URL": model.url, **values}) as server,
    ):
        status, output = await run(helm, server.url)
        assert (status, output.splitlines()[-1]) == (0, last)


async def test_another_feature_is_asked_where_summaries_are_off(each_helm: Helm, tmp_path: Path) -> None:
    features = {"a": {"prompt": "A:", "enabled": False}, "translate": {"prompt": "Translate:"}}
    given = ("--set-json", f"features={json.dumps(features)}")
    async with (
        FakeModelServer() as model,
        running_server(
            tmp_path, {"LLAMA_STACK_URL": model.url, "summarize": {"enabled": False}, "features": features}
        ) as server,
    ):
        status, output = await run(each_helm, server.url, given=given)
        _, _, answer, vote = output.splitlines()
        assert (status, answer.split(":")[0], vote.split(":")[0]) == (0, "ok      translate", "ok      vote")
        model.scripts["llama32"] = SCRIPTS["broken"]
        status, output = await run(each_helm, server.url, given=given)
        assert status == 1
        assert f"FAILED  POST {server.url}/translate answered 502: " in output


@pytest.mark.parametrize("values", ["minimal", "token", "proxy"])
def test_its_pod_gets_out_to_the_backend_and_dns_alone_and_the_backend_lets_it_in(each_helm: Helm, values: str) -> None:
    """Also in a namespace whose own policy lets nothing out."""
    objects = each_helm.render("--values", MINIMAL.with_name(f"{values}.yaml"))
    pod, policy = (one for kind in ("Pod", "NetworkPolicy") for one in objects if is_hook(one) and one["kind"] == kind)
    assert policy["metadata"]["annotations"].items() >= {"helm.sh/hook": "test", "helm.sh/hook-weight": "-1"}.items()
    spec = policy["spec"]
    assert spec["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert (spec["policyTypes"], spec["ingress"]) == (["Ingress", "Egress"], [])
    dns, backend = spec["egress"]
    assert dns == find(objects, "NetworkPolicy")["spec"]["egress"][0]
    (to,) = backend["to"]
    assert to["podSelector"]["matchLabels"] == find(objects, "Service")["spec"]["selector"]
    pods = find(objects, "Deployment")["spec"]["template"]["spec"]
    ports = [port for one in [*pods.get("initContainers", []), *pods["containers"]] for port in one["ports"]]
    assert {port["port"] for port in backend["ports"]} == {port["containerPort"] for port in ports}
    admitted = [rule["ports"][0]["port"] for rule in find(objects, "NetworkPolicy")["spec"]["ingress"]]
    assert sorted(admitted) == sorted(port["name"] for port in ports)


def test_its_pod_takes_what_the_values_say(helm: Helm) -> None:
    set_ = ("--set", "test.resources.requests.memory=64Mi", "--set", "test.resources.limits.memory=256Mi")
    (pod,) = (one for one in helm.render("--values", MINIMAL, *set_) if one["kind"] == "Pod")
    (container,) = pod["spec"]["containers"]
    assert container["resources"] == {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}


async def test_a_server_that_is_not_there_is_said(helm: Helm) -> None:
    status, output = await run(helm, "http://127.0.0.1:9")
    assert status == 1
    assert output.startswith("FAILED  GET http://127.0.0.1:9/readyz got no answer: ")


async def test_where_people_sign_in_it_asks_whether_nobody_is_refused(helm: Helm, tmp_path: Path) -> None:
    values = MINIMAL.with_name("token.yaml")
    (tmp_path / "tokens.yaml").write_text("[]")
    env = {"CANOPY_AUTH_TOKENS_FILE": str(tmp_path / "tokens.yaml")}
    async with FakeModelServer() as model:
        signed_in = {"LLAMA_STACK_URL": model.url, "auth": {"mode": "token"}}
        async with running_server(tmp_path, signed_in, env=env) as server:
            assert await run(helm, server.url, values) == (
                0,
                "ok      ready\nok      refused without an identity: 401 (auth.mode is token)\n",
            )
        async with running_server(tmp_path, {"LLAMA_STACK_URL": model.url}) as server:
            status, output = await run(helm, server.url, values)
            assert (status, "FAILED" in output) == (1, True)
            assert "was answered with 200, not refused" in output
