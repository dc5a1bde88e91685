"""Which experiment a values file means: what ties a decision to the prompts that a commit holds."""

from collections.abc import Mapping
from typing import Any

from canopy.base.errors import ConfigError
from canopy.config.features import canonical_name
from canopy.config.flags import differences
from canopy.gitops.promotion import next_experiment, require_own_prompts, values_of

_NAME = "The values file"  # for errors


def experiment_in(document: Mapping[str, Any], feature: str) -> str:
    """Return the id of the experiment on a feature's prompts in a values file of the chart or the server.

    Raises ConfigError, also where the file has no such feature, compares nothing or leaves its prompts to MLflow.
    """
    values = values_of(document, _NAME, canonical_name(feature))
    require_own_prompts(values)
    its = values.feature
    if not its.challenger:
        raise ConfigError(
            f"{_NAME} has no candidate: `{its.section}.prompt_b` is not set, so there is nothing to decide."
        )
    if not differences(its, values.values):
        if [*its.challenger] == ["prompt"]:
            raise ConfigError(
                f"{_NAME} has no candidate: `{its.section}.prompt_b` is the current prompt, to the letter."
            )
        raise ConfigError(f"{_NAME} has no candidate: B is the same as A in `{its.section}`.")
    return next_experiment(values, its.challenger)
