"""The errors for bodies that are no answer, or none that is complete."""

from canopy.base.errors import ModelError, ModelReplyEmpty, ModelReplyTruncated
from canopy.inference.reasons import in_known_words


class NotJson(Exception):  # noqa: N818 - no error yet: more of it may follow
    """Data that is no JSON, and may be the beginning of some."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = data

    def failure(self) -> ModelError:
        """The error, if nothing follows that makes it whole."""
        return ModelError("The model server sent a chunk that is not JSON.", reason=_excerpt(self._data))


def truncated() -> ModelReplyTruncated:
    """The error for a reply that broke off."""
    return ModelReplyTruncated("The model's reply broke off before its end.")


def empty(finish_reason: str | None, *, thought: bool) -> ModelReplyEmpty:
    """The error for a reply without a word of an answer."""
    if finish_reason == "length":
        return ModelReplyEmpty("The model used up `summarize.max_tokens` before its first word: raise it.")
    if thought:
        return ModelReplyEmpty("The model thought, and then answered without a word.")
    return ModelReplyEmpty("The model answered without a word.")


def foreign(line: bytes, address: str) -> ModelError:
    """The error for what is no event stream; `address` is the setting that the server's address comes from."""
    if line.lstrip().startswith(b"<"):
        return web_page(200, address)
    sentence = "The model server answered with something other than an event stream."
    return ModelError(sentence, reason=_excerpt(line))


def _excerpt(data: bytes) -> str | None:
    """What may be told of a body that is neither an answer nor a complaint. A piece of JSON may be either."""
    start = data[:2_000].lstrip()
    return None if start[:1] in (b"{", b"[") else in_known_words(start.decode(errors="replace"))


def web_page(status: int, address: str) -> ModelError:
    """The error where a web page answers: a proxy, a sign-in, another program."""
    return ModelError(
        f"What answers at the model server's address is a web page ({status}): check {address}, and what stands "
        "between it and Canopy."
    )
