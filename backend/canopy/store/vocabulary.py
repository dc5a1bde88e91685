"""Defines words that several nouns of the store have in common. Those of ratings are in `canopy.base.ratings`."""

from typing import Literal

type Source = Literal["HUMAN", "LLM_JUDGE", "CODE"]

AB_PREFERENCE = "ab_preference"  # the name of the assessment that a ballot is, beside `user_satisfaction`
