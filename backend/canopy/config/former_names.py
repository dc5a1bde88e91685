"""Keys of the server's and the chart's values that were renamed. Former names keep working, reported as deprecated."""

from collections.abc import Mapping
from typing import Any

from canopy.base.errors import ConfigError
from canopy.base.settings import FORMER_SETTINGS

type Renamed = tuple[str, str]  # a key's former path, such as `ab_testing.prior`, and its present one

FORMER_VALUES = {
    "ab_testing": {"prior": "prior_strength", "delta": "equivalence_margin", "n_max": "max_decisive_votes"},
}
FORMER_CHART_VALUES = {**FORMER_VALUES, "settings": FORMER_SETTINGS}


def with_present_names(
    document: Mapping[str, Any],
    former: Mapping[str, Mapping[str, str]],
    defaults: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, Any], tuple[Renamed, ...]]:
    """Return the document with former names replaced by present ones, and the replacements made.

    `former` maps former to present names, and `defaults` present names to defaults, both by section. Raises ConfigError
    if both names have different values, unless the present name has its default: Helm writes defaults into every file,
    so a default doesn't mean that somebody set it.
    """
    own, found = dict(document), []
    for section, names in former.items():
        given = document.get(section)
        if not isinstance(given, Mapping):
            continue
        own[section] = renamed = dict(given)
        for old, new in names.items():
            value = renamed.pop(old, None)
            if value is None:
                continue
            if renamed.get(new) not in (None, value, defaults.get(section, {}).get(new)):
                raise ConfigError(f"{section}.{old} and {section}.{new} are two names of one value. Keep one of them.")
            renamed[new] = value
            found.append((f"{section}.{old}", f"{section}.{new}"))
    return own, tuple(found)
