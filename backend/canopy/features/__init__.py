"""What Canopy does for a user: one file per feature, one line here."""

from canopy.features import chat, summarize
from canopy.features.base import Feature

FEATURES: dict[str, Feature] = {feature.name: feature for feature in (summarize.FEATURE, chat.FEATURE)}

__all__ = ["FEATURES", "Feature", "same_to_clients"]


def same_to_clients(name: str) -> frozenset[str]:
    """The names of the features that clients may mean by one of them. Raises KeyError for a name of none."""
    flag = FEATURES[name].flag
    return frozenset(feature.name for feature in FEATURES.values() if feature.flag == flag)
