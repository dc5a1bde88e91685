"""Texts and times as the index of the searches has them."""

SAME = 20  # bits of a place for the votes of one millisecond
LENGTH = 3  # characters of a trigram


def folded(*texts: str | None) -> str:
    """Return what is indexed of a vote's texts."""
    return "\n".join([text or "" for text in texts]).casefold()


def trigrams(text: str) -> list[str]:
    """Return the distinct trigrams of a folded text, in their order."""
    return list(dict.fromkeys(text[start : start + LENGTH] for start in range(len(text) - LENGTH + 1)))


def first_place(microseconds: int) -> int:
    """Return the lowest place that a vote of this time, or its millisecond, can have."""
    return (microseconds // 1_000) << SAME


def began(place: int) -> int:
    """Return the lowest place of the same millisecond."""
    return place >> SAME << SAME


def time_of(place: int) -> int:
    """When the millisecond of a place began, in microseconds."""
    return (place >> SAME) * 1_000
