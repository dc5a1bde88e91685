"""Words that several nouns of the store have in common."""

from typing import Literal

# A judge's label has a kind of its own, so that no series has people's votes and judges' labels in it.
type Kind = Literal["thumbs", "score", "label", "judgement"]
type Source = Literal["HUMAN", "LLM_JUDGE", "CODE"]

JUDGEMENT: Kind = "judgement"
AB_PREFERENCE = "ab_preference"  # the name of the assessment that a ballot is, beside `user_satisfaction`
