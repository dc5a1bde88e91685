"""Makes the errors for bodies that are no chat completion, or an incomplete one."""

from canopy.base.errors import ModelError, ModelReplyEmpty, ModelReplyTruncated
from canopy.inference.protocol import ValueKeys
from canopy.inference.redaction import redact_unknown_words


class NotJson(Exception):  # noqa: N818 - no error yet: more of it may follow
    """Data that is no JSON, but may be the beginning of some."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = data

    def failure(self) -> ModelError:
        """Return the error to raise if no further data completes it."""
        return ModelError("The model server sent a chunk that is not JSON.", reason=_excerpt(self._data))


def truncated_reply() -> ModelReplyTruncated:
    """Return the error for a reply that broke off."""
    return ModelReplyTruncated("The model's reply broke off before its end.")


def empty_reply(finish_reason: str | None, keys: ValueKeys, *, thought: bool) -> ModelReplyEmpty:
    """Return the error for a reply without any text; `thought` says that there was reasoning.

    `keys` is as in `ChatRequest`.
    """
    if finish_reason == "length":
        limit = f"`{keys.max_tokens}`" if keys.max_tokens else "the limit of its answer's tokens"
        return ModelReplyEmpty(f"The model used up {limit} before its first word: raise it.")
    if thought:
        return ModelReplyEmpty("The model thought, and then answered without a word.")
    return ModelReplyEmpty("The model answered without a word.")


def not_an_event_stream(line: bytes, url_setting: str) -> ModelError:
    """Return the error for another body than an event stream.

    `url_setting` is the name of the setting that holds the server's URL.
    """
    if line.lstrip().startswith(b"<"):
        return web_page_error(200, url_setting)
    sentence = "The model server answered with something other than an event stream."
    return ModelError(sentence, reason=_excerpt(line))


def _excerpt(data: bytes) -> str | None:
    """Return what may be shown of an unknown body; None for JSON, which may hold an answer."""
    start = data[:2_000].lstrip()
    return None if start[:1] in (b"{", b"[") else redact_unknown_words(start.decode(errors="replace"))


def web_page_error(status: int, url_setting: str) -> ModelError:
    """Return the error for an HTML page in place of an answer: a proxy, a sign-in, another program."""
    return ModelError(
        f"What answers at the model server's address is a web page ({status}): check {url_setting}, and what stands "
        "between it and Canopy."
    )
