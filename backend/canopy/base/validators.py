"""Validators that models of requests and of values share."""

from pydantic_core import PydanticCustomError


def without_nul(text: str) -> str:
    """Return the text. Raises PydanticCustomError for a NUL, which JSON and YAML may hold and PostgreSQL can't."""
    if "\0" in text:
        raise PydanticCustomError("nul_character", "has a NUL character, which can't be stored")
    return text
