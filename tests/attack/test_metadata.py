"""A values file that points Canopy at its cloud's metadata service, whose answers are credentials."""

from pathlib import Path

import pytest

from canopy.base.errors import ConfigError
from canopy.config.loading import load_config
from tests.support.commands import run_canopy
from tests.support.metadata import METADATA_ADDRESSES

pytestmark = pytest.mark.own_server

# What is no usual form of an address is refused as such, wherever it leads.
REFUSED = "leads to where clouds give out credentials|hides where it leads|must be an address such as"


@pytest.mark.parametrize(
    "address", [*METADATA_ADDRESSES, "http://169。254。169。254", "http://[0:0:0:0:0:ffff:a9fe:a9fe]"]
)
@pytest.mark.parametrize("key", ["LLAMA_STACK_URL: ", "mlflow:\n  enabled: true\n  url: "])
def test_a_metadata_service_as_a_server(key: str, address: str) -> None:
    """It is refused in every form of its address."""
    with pytest.raises(ConfigError, match=REFUSED):
        load_config(f"{key}'{address}'".encode())


@pytest.mark.parametrize(
    "address",
    ["http://169.253.1.1", "http://[fd00:ec2::1]", "http://[::1]:8321", "http://10.0.0.1", "http://metadata.team.svc"],
)
def test_servers_that_are_none(address: str) -> None:
    """Their neighbours are servers like others."""
    load_config(f"LLAMA_STACK_URL: '{address}'".encode())


def test_checking_and_serving_such_values(tmp_path: Path) -> None:
    """Both commands end with the sentence."""
    (tmp_path / "values.yaml").write_text("LLAMA_STACK_URL: http://2852039166/")
    for arguments in (["check-values", "values.yaml"], ["serve"]):
        done = run_canopy(*arguments, cwd=tmp_path, env={"CANOPY_CONFIG_PATH": "values.yaml", "CANOPY_PORT": "0"})
        assert done.returncode
        assert "hides where it leads" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
