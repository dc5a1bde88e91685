"""The model server's address by either of its names, and what lets Canopy through to it."""

import pytest
import yaml

from canopy.base.errors import ConfigError
from canopy.config.loading import load_config
from tests.chart.conftest import MINIMAL, find
from tests.support.helm import Helm, HelmError

OGX = "http://ogx-service.models.svc:8321"
TWO = "two names of one address"


def test_model_url_is_another_name_in_the_config_and_the_network_policy(helm: Helm) -> None:
    chosen = ("--values", MINIMAL, "--set", "LLAMA_STACK_URL=null")
    by_either = [
        helm.render("--values", MINIMAL, "--set", f"LLAMA_STACK_URL={OGX}"),
        helm.render(*chosen, "--set", f"MODEL_URL={OGX}"),
        helm.render("--values", MINIMAL, "--set", f"LLAMA_STACK_URL={OGX}", "--set", f"MODEL_URL={OGX}"),
    ]
    assert by_either[0] == by_either[1] == by_either[2]
    (content,) = find(by_either[0], "ConfigMap")["data"].values()
    assert yaml.safe_load(content)["LLAMA_STACK_URL"] == OGX


def test_the_server_takes_either_name() -> None:
    for content in (f"LLAMA_STACK_URL: {OGX}", f"MODEL_URL: {OGX}", f"LLAMA_STACK_URL: {OGX}\nMODEL_URL: {OGX}"):
        assert str(load_config(content.encode()).values.LLAMA_STACK_URL).rstrip("/") == OGX


def test_two_addresses_are_a_contradiction_in_chart_and_server(helm: Helm) -> None:
    with pytest.raises(HelmError, match=TWO):
        helm.render("--values", MINIMAL, "--set", f"MODEL_URL={OGX}")
    with pytest.raises(ConfigError, match=TWO):
        load_config(f"LLAMA_STACK_URL: http://llama-stack-service:8321\nMODEL_URL: {OGX}".encode())


@pytest.mark.parametrize("url", ["http://user:s3cret@host", "http://169.254.169.254", "host:8321"])
def test_the_other_name_takes_no_address_that_the_first_refuses(helm: Helm, url: str) -> None:
    with pytest.raises(HelmError) as refused:
        helm.render("--values", MINIMAL, "--set", "LLAMA_STACK_URL=null", "--set", f"MODEL_URL={url}")
    assert "MODEL_URL" in str(refused.value) or "where clouds give out credentials" in str(refused.value)
    with pytest.raises(ConfigError, match="MODEL_URL"):
        load_config(f"MODEL_URL: '{url}'".encode())
