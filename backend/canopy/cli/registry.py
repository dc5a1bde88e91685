"""What `canopy promote` and `canopy rollback` do where MLflow's registry has the prompts."""

from typing import TYPE_CHECKING

import click

from canopy.base.errors import ConfigError
from canopy.cli.common import read_settings
from canopy.cli.terminal import say, style

if TYPE_CHECKING:
    from canopy.cli.delivering import Wanted
    from canopy.gitops.promotion import ValuesFile
    from canopy.gitops.registry_change import RegistryChange
    from canopy.mlflow.prompt_aliases import PromptAliases

mlflow_option = click.option(
    "--mlflow", metavar="URL", help="MLflow's address from here, where its registry has the prompts.  [the values']"
)


def aliases_of(values: "ValuesFile", url: str | None, wanted: "Wanted") -> "PromptAliases":
    """Return MLflow's aliases. Raises ConfigError where nobody says where MLflow is, or a merge is to decide."""
    from canopy.mlflow.prompt_aliases import PromptAliases

    if wanted.pull_request:
        raise ConfigError(
            "MLflow's registry has the prompts, so the alias moves at once and no merge could hold it back. Say "
            "--branch NAME --push in place of --pull-request: the evidence can be reviewed there."
        )
    address = url or values.mlflow_url
    if address is None:
        raise ConfigError("Nothing says where MLflow is: name its address with --mlflow.")
    setting = "--mlflow" if url else "`mlflow.url` in the values (--mlflow names another)"
    return PromptAliases(address, read_settings().mlflow_headers, setting)


def show_registry(change: "RegistryChange") -> None:
    """Print what would change in the registry."""
    say("In MLflow's registry, while the file stays as it is:")
    for line in change.lines():
        say(style(f"  {line}", fg="green" if line.startswith("+") else "red"))
