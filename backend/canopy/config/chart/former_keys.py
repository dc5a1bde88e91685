"""The chart's keys that have another name now: those of the values, and its `settings`."""

from typing import Any

from canopy.base.settings import FORMER_SETTINGS
from canopy.config.chart.defaults import tree
from canopy.config.former_names import FORMER_VALUES

FORMER_KEYS = {**FORMER_VALUES, "settings": FORMER_SETTINGS}


def former_defaults() -> dict[str, dict[str, Any]]:
    """Return the chart's default of each key that had another name, by section; a key without one is left out."""
    defaults = tree()
    return {
        section: {new: defaults[section][new][0] for new in names.values() if new in defaults[section]}
        for section, names in FORMER_KEYS.items()
    }
