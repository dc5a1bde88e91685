"""Texts as the index of the searches has them."""

LENGTH = 3  # characters of a trigram


def folded(*texts: str | None) -> str:
    """What is indexed of a vote's texts."""
    return "\n".join([text or "" for text in texts]).casefold()


def trigrams(text: str) -> list[str]:
    """The distinct trigrams of a folded text, in their order."""
    return list(dict.fromkeys(text[start : start + LENGTH] for start in range(len(text) - LENGTH + 1)))
