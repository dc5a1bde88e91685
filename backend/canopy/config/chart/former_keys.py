"""Keys of the chart that were renamed: the server's values, and `settings`."""

from typing import Any

from canopy.base.settings import FORMER_SETTINGS
from canopy.config.chart.defaults import default_tree
from canopy.config.former_names import FORMER_VALUES

FORMER_KEYS = {**FORMER_VALUES, "settings": FORMER_SETTINGS}


def former_defaults() -> dict[str, dict[str, Any]]:
    """Return the chart's defaults of renamed keys, by section and present name; keys without a default are left out."""
    defaults = default_tree()
    return {
        section: {new: defaults[section][new][0] for new in names.values() if new in defaults[section]}
        for section, names in FORMER_KEYS.items()
    }
