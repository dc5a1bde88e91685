"""Turns texts and times into the terms of the search index.

A text is folded and cut into trigrams. A place is an integer that orders votes by time: a millisecond since the epoch,
and behind it a number that tells the votes of that millisecond apart.
"""

PLACE_BITS = 20  # of a place, for the votes of one millisecond
TRIGRAM_LENGTH = 3  # characters of a trigram


def folded(*texts: str | None) -> str:
    """Return what is indexed of a vote's texts."""
    return "\n".join([text or "" for text in texts]).casefold()


def trigrams(text: str) -> list[str]:
    """Return the distinct trigrams of a folded text, in their order."""
    return list(dict.fromkeys(text[start : start + TRIGRAM_LENGTH] for start in range(len(text) - TRIGRAM_LENGTH + 1)))


def first_place(microseconds: int) -> int:
    """Return the lowest place that a vote of this time, or its millisecond, can have."""
    return (microseconds // 1_000) << PLACE_BITS


def millisecond_of(place: int) -> int:
    """Return the lowest place of the same millisecond."""
    return place >> PLACE_BITS << PLACE_BITS


def time_of(place: int) -> int:
    """Return when the millisecond of a place began, in microseconds since the epoch."""
    return (place >> PLACE_BITS) * 1_000
