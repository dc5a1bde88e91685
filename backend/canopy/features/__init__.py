"""What Canopy does for a user: one file per feature, one line here."""

from canopy.features import chat, summarize
from canopy.features.base import Feature

FEATURES: dict[str, Feature] = {feature.name: feature for feature in (summarize.FEATURE, chat.FEATURE)}

__all__ = ["FEATURES", "Feature"]
