"""Keys of the values that have another name now: the former one still works, and who reads the values is told."""

from collections.abc import Mapping
from typing import Any

from canopy.base.errors import ConfigError

type Renamed = tuple[str, str]  # the paths of a key: the former one, and its own

FORMER_VALUES = {
    "ab_testing": {"prior": "prior_strength", "delta": "equivalence_margin", "n_max": "max_decisive_votes"},
}


def under_own_names(
    document: Mapping[str, Any],
    former: Mapping[str, Mapping[str, str]],
    defaults: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, Any], tuple[Renamed, ...]]:
    """Return a document with the keys' own names in place of former ones, and the names that it had.

    `former` has the names by section. Both names with different values are refused with ConfigError, unless the key's
    own name has its default: Helm puts defaults into every file, so that nobody can tell whether somebody wrote it.
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
