"""What the chart writes into the ConfigMap is what the server serves, and a change of it restarts nothing."""

import asyncio
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from canopy.config.feature_values import EMBEDDED_MODEL_DEFAULTS, MODEL_SERVER_DEFAULTS, ModelParameters
from canopy.config.loading import load_config
from canopy.config.values import Values
from tests.chart.conftest import MINIMAL, Objects, container, environment, find
from tests.http.signing_in import credentials, secret_file
from tests.support.helm import CHART, Helm
from tests.support.server import running_server

LAB = MINIMAL.with_name("lab.yaml")
SERVERS = {field.alias or name for name, field in Values.model_fields.items()} - {
    "repo_url",
    "chart_path",
    "target_revision",
}
DECIDED_HERE = {
    "CANOPY_HOST",
    "CANOPY_PORT",
    "CANOPY_CONFIG_PATH",
    "CANOPY_STORE_URL",
    "CANOPY_AUTH_TOKENS_FILE",
    "CANOPY_AUTH_PROXY_SECRET_FILE",
}


def config(objects: Objects) -> str:
    text: str = find(objects, "ConfigMap")["data"]["canopy-config.yaml"]
    return text


def process(objects: Objects) -> dict[str, str]:
    """The environment that the chart gives the process, but for where it listens and writes."""
    told = environment(objects)
    return {name: value for name, value in told.items() if name.startswith("CANOPY_") and name not in DECIDED_HERE}


def servers_part(values: dict[str, Any]) -> Values:
    return Values.model_validate({key: value for key, value in values.items() if key in SERVERS})


def test_the_config_map_holds_exactly_the_values(helm: Helm, values: Path) -> None:
    loaded = load_config(config(helm.render("--values", values)).encode())
    assert loaded.values == servers_part(yaml.safe_load(values.read_text()))


NASTY = [
    "a: b # no comment",
    "  leading and trailing  ",
    "\n\nempty lines\n\n\n",
    "tab\tquote\"apostrophe'backslash\\percent%",
    "{{ .Values.summarize.model }} ${HOME} $(id)",
    "next line \x85 separators \u2028 \u2029 order mark \ufeff",
    "東京 🌳 e\u0301 \u202eright to left",
    "--- \n...\n",
    *(
        "012",
        "1e3",
        "0x1F",
        "1_000",
        "1:30",
        "yes",
        "on",
        "null",
        "~",
        "=",
        "<<",
        "2026-01-01",
        "!tag",
        "&anchor",
        "*alias",
    ),
    "long " * 3000,
]


def test_no_text_is_changed_on_its_way_to_the_server(each_helm: Helm, tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    for prompt, prompt_b, model in zip(NASTY[::3], NASTY[1::3], NASTY[2::3], strict=True):
        texts = {"prompt": prompt, "prompt_b": prompt_b, "model": model[:200]}
        path.write_text(yaml.safe_dump({"summarize": texts}, default_style='"'))
        rendered = each_helm.run("template", "canopy", CHART, "--values", MINIMAL, "--values", path)
        loaded = load_config(config(tuple(filter(None, yaml.safe_load_all(rendered)))).encode()).values.summarize
        assert {name: getattr(loaded, name) for name in texts} == texts


def test_the_embedded_model_gets_what_suits_it_unless_somebody_has_set_it(each_helm: Helm) -> None:
    def asked(*more: str) -> ModelParameters:
        sets = [part for it in more for part in ("--set-json", it)]
        rendered = each_helm.run("template", "canopy", CHART, *sets)
        return load_config(config(tuple(filter(None, yaml.safe_load_all(rendered)))).encode()).values.summary_parameters

    assert asked('LLAMA_STACK_URL="http://ogx-service:8321"') == MODEL_SERVER_DEFAULTS
    assert asked("image.embeddedModel=true") == EMBEDDED_MODEL_DEFAULTS
    set_by_somebody = asked("image.embeddedModel=true", 'summarize={"temperature": 0.9, "max_tokens": 4096}')
    assert set_by_somebody == replace(MODEL_SERVER_DEFAULTS, prompt=EMBEDDED_MODEL_DEFAULTS.prompt)


@pytest.mark.parametrize(
    "number", ["ab_testing.alpha=0.000001", "ab_testing.equivalence_margin=0.00000001", "summarize.max_tokens=1000000"]
)
def test_no_number_becomes_a_text(each_helm: Helm, number: str, tmp_path: Path) -> None:
    path, _, value = number.partition("=")
    section, _, key = path.partition(".")
    values = tmp_path / "values.yaml"
    values.write_text(f"{section}: {{{key}: {value}}}")
    loaded = load_config(config(each_helm.render("--values", MINIMAL, "--values", values)).encode())
    assert getattr(getattr(loaded.values, section), key) == float(value)


async def test_the_server_starts_on_what_the_chart_writes(objects: Objects, values: Path, tmp_path: Path) -> None:
    asked = yaml.safe_load(values.read_text())
    summarizes = asked.get("summarize", {}).get("enabled", True)
    expected = {
        "summarize": summarizes,
        "summarization": summarizes,  # as today's workshop calls it
        "feedback": asked.get("feedback", {}).get("enabled", True),
        "ab_testing": asked.get("ab_testing", {}).get("enabled", False),
    }
    (tmp_path / "tokens.yaml").write_text("- {name: ana, token: ana-0123456789abcdef}")
    here = {"CANOPY_LOG_LEVEL": "info", "CANOPY_AUTH_TOKENS_FILE": str(tmp_path / "tokens.yaml")}
    here |= {"CANOPY_NOTIFICATIONS_URL": "https://hooks.example.com/x"} | secret_file(tmp_path)
    probes = {name: container(objects)[f"{name}Probe"]["httpGet"]["path"] for name in ("liveness", "readiness")}
    async with (
        # The test waits for the line that tells the address, which `warning` would leave out.
        running_server(tmp_path, config(objects), env=process(objects) | here) as server,
        httpx.AsyncClient(base_url=server.url, headers=credentials("proxy", None)) as client,
    ):
        assert (await client.get("/feature-flags")).json() == expected
        for path in probes.values():
            assert (await client.get(path)).status_code == 200

        # Kubernetes ends it: readiness turns red, liveness stays green until the drain delay is over.
        server.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            while (await client.get(probes["readiness"])).status_code == 200:
                await asyncio.sleep(0.01)
        assert (await client.get(probes["liveness"])).status_code == 200


FLIPPED = (
    "--set",
    "feedback.enabled=false",
    "--set",
    "ab_testing.enabled=false",
    "--set-json",
    "summarize.temperature=0.1",
)


def test_a_flag_changes_the_config_map_and_not_the_deployment(each_helm: Helm) -> None:
    before, after = each_helm.render("--values", LAB), each_helm.render("--values", LAB, *FLIPPED)
    changed = [one["kind"] for one, other in zip(before, after, strict=True) if one != other]
    assert changed == ["ConfigMap"]


def test_with_restart_a_flag_rolls_the_pods_out(each_helm: Helm) -> None:
    restart = ("--set", "config.rollout=restart")
    before, after = each_helm.render("--values", LAB, *restart), each_helm.render("--values", LAB, *restart, *FLIPPED)
    templates = [find(objects, "Deployment")["spec"]["template"] for objects in (before, after)]
    assert templates[0] != templates[1]
    again = find(each_helm.render("--values", LAB, *restart, release="canopy"), "Deployment")["spec"]["template"]
    assert again == templates[0]


@pytest.mark.parametrize("rollout", ["hot", "restart"])
def test_another_commit_restarts_nothing_and_is_no_other_configuration(each_helm: Helm, rollout: str) -> None:
    none, one, other = (
        each_helm.render("--values", LAB, "--set", f"config.rollout={rollout}", *commit)
        for commit in ((), ("--set-string", f"gitRevision={'12' * 20}"), ("--set-string", f"gitRevision={'34' * 20}"))
    )
    for before, after in ((none, one), (one, other)):
        changed = [was["kind"] for was, now in zip(before, after, strict=True) if was != now]
        assert changed == ["ConfigMap"]
        assert load_config(config(before).encode()) == load_config(config(after).encode())
    assert find(other, "ConfigMap")["data"]["git-revision"] == "34" * 20
    assert "git-revision" not in find(none, "ConfigMap")["data"]


@pytest.mark.parametrize("setting", ["settings.log_level=debug", "image.tag=v2", "store.persistence.enabled=false"])
def test_what_needs_a_restart_rolls_the_pods_out(helm: Helm, setting: str) -> None:
    before, after = helm.render("--values", LAB), helm.render("--values", LAB, "--set", setting)
    assert find(before, "Deployment")["spec"]["template"] != find(after, "Deployment")["spec"]["template"]


async def test_a_flag_flips_in_the_running_server(helm: Helm, tmp_path: Path) -> None:
    """The folder is updated as the kubelet does it: a new one, and a link renamed over `..data`."""
    mounted = tmp_path / "canopy"
    for name, arguments in {"one": (), "two": FLIPPED}.items():
        (mounted / name).mkdir(parents=True)
        (mounted / name / "canopy-config.yaml").write_text(config(helm.render("--values", LAB, *arguments)))
    (mounted / "..data").symlink_to("one")
    path = mounted / "canopy-config.yaml"
    path.symlink_to("..data/canopy-config.yaml")
    async with (
        running_server(tmp_path, env={"CANOPY_CONFIG_PATH": str(path)}) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        assert (await client.get("/feature-flags")).json()["feedback"] is True
        (mounted / "..data_tmp").symlink_to("two")
        (mounted / "..data_tmp").replace(mounted / "..data")
        await server.event("config_reloaded")
        assert (await client.get("/feature-flags")).json() == {
            "summarize": True,
            "summarization": True,
            "feedback": False,
            "ab_testing": False,
        }
        assert server.process.returncode is None
