"""Maps a model server's HTTP error responses to Canopy's errors, each with what to change."""

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from canopy.base.errors import (
    CanopyError,
    ModelBusy,
    ModelContentFiltered,
    ModelError,
    ModelNotFound,
    ModelTimeout,
    ModelUnreachable,
)
from canopy.base.retry_after import parse_retry_after
from canopy.inference.chunk_errors import status_of
from canopy.inference.error_messages import (
    ErrorMessage,
    error_for_refused_request,
    is_content_filter,
    parse_error_body,
    parse_error_json,
    prompt_too_long,
    says_token_room,
)
from canopy.inference.protocol import NO_KEYS, URL_SETTING, ValueKeys
from canopy.inference.reply_errors import web_page_error
from canopy.outgoing.causes import redirection

RETRY_AFTER = 5  # seconds, where the model server names no time
_LONGEST_RETRY_AFTER = 3600  # seconds; a longer time is replaced by RETRY_AFTER
_SHOWN = 100_000  # bytes of a body that are read

_NO_ROUTE = re.compile(
    r"""(?ix) ^\W*(404\W*)?not\sfound\W*$ | no\ssuch\s(route|path|endpoint) | no\sroute | page\snot\sfound | ^$
    | (invalid|unknown|unrecognized)\s(request\s)?(url|path|endpoint) | cannot\s(post|get)\s | no\sstatic\sresource
    | (path|route|endpoint|resource)\b.{0,80}\bnot\sfound | method\snot\sallowed"""
)
_QUOTA = re.compile(
    r"""(?ix) insufficient[_\s](quota|balance|credits?|funds) | exceeded\syour\s(current\s)?quota | billing
    | credit\sbalance | out\sof\scredits | monthly\s(limit|quota|spend) | spending\slimit"""
)
_PASSES = re.compile(r"(?i)(retry|try again) (in|after) \d|per (second|minute)|rate limit")
_NEEDS_TLS = re.compile(r"(?i)plain HTTP request was sent to HTTPS port|sent an HTTP request to an HTTPS server")


# The status that a message begins with, and the statuses that error codes stand for.
_STATUS = re.compile(r"(?i)\A(?:[\w.]{1,60}: ?)?([45]\d\d)(?= *[:\-])|\b(?:error|status) code:? ([45]\d\d)\b")
_CODES = {
    429: re.compile(r"(?i)rate_?limit|too_?many_?requests|overloaded|insufficient_quota|resource_exhausted"),
    404: re.compile(r"(?i)model_?not_?found|\bnot_?found_?error"),
    401: re.compile(r"(?i)invalid_api_key|authentication|unauthori[sz]ed|permission_?denied"),
    503: re.compile(r"(?i)service_?unavailable"),
    504: re.compile(r"(?i)gateway_?timeout"),
}


class ModelRefusal(NamedTuple):
    """Describes a response with an error status instead of an answer."""

    status: int
    message: ErrorMessage
    is_page: bool  # an HTML page, not an API's response
    headers: Mapping[str, str]
    url: str  # of the request

    @property
    def is_about_path(self) -> bool:
        """Return whether the server has no such route, whatever the model."""
        if self.status not in (404, 405) or "model" in self.message.codes.lower():
            return False
        return self.status == 405 or self.is_page or _NO_ROUTE.search(self.message.words) is not None

    @property
    def is_about_quota(self) -> bool:
        """Return whether the account's quota is used up, so that retrying is useless."""
        if self.status == 402:
            return True
        text = self.message.text
        return (
            self.status in (403, 429)
            and _QUOTA.search(text) is not None
            and "retry-after" not in self.headers
            and not _PASSES.search(text)
        )

    @property
    def holds_for_every_text(self) -> bool:
        """Return whether a refusal of `max_tokens` holds for every text, not for this one alone."""
        return not says_token_room(self.message.text)


def refusal_of(status: int, body: bytes, headers: Mapping[str, str], url: str) -> ModelRefusal:
    """Return the refusal in a response with an error status to a request to `url`."""
    data = body[:_SHOWN].lstrip()
    is_page = "text/html" in headers.get("content-type", "") or data[:1] == b"<"
    return ModelRefusal(status, _page_words(data) if is_page else parse_error_body(data), is_page, headers, url)


def error_of(
    refusal: ModelRefusal, model: str, url_setting: str = URL_SETTING, keys: ValueKeys = NO_KEYS
) -> CanopyError:
    """Return the error to raise for a refusal; the server's own words become its `reason`.

    `url_setting` is the name of the setting that holds the server's URL, `keys` as in `ChatRequest`.
    """
    status, reason = refusal.status, refusal.message.words or None
    error = _by_place(refusal, url_setting) or _by_status(refusal, model, keys)
    if error is None:
        sentence = f"failed ({status})" if status >= 500 else f"refused the request ({status})"
        error = error_for_refused_request(refusal.message, f"The model server {sentence}.", keys)
    error.reason = reason
    return error


def error_from_event(error: Mapping[str, Any], model: str, keys: ValueKeys = NO_KEYS) -> CanopyError:
    """Return the error to raise for one that the server reports inside a stream or in place of an answer.

    A status in it means what the same HTTP status means, except that the URL was right. `keys` is as in
    `ChatRequest`.
    """
    message = parse_error_json(error)
    status = status_of(error) or _status_told(message)
    found = _by_status(ModelRefusal(status, message, False, {}, ""), model, keys)
    otherwise = "The model server reported an error while it answered."
    found = found or error_for_refused_request(message, otherwise, keys)
    found.reason = message.words or None
    return found


def _status_told(message: ErrorMessage) -> int:
    if told := _STATUS.search(message.words):
        return int(told[1] or told[2])
    return next((status for status, code in _CODES.items() if code.search(message.codes)), 0)


def _by_place(refusal: ModelRefusal, url_setting: str) -> CanopyError | None:  # noqa: PLR0911 - one row per cause
    """Return the error where something other than a model server's API answered."""
    status = refusal.status
    if moved := redirection(status, refusal.headers.get("location"), refusal.url, url_setting):
        return ModelError(f"The model server answers elsewhere. {moved}")
    if _NEEDS_TLS.search(refusal.message.words):
        return ModelError(f"The model server speaks TLS alone: begin {url_setting} with https://.")
    if status == 407:
        return ModelError("The proxy before the model server asks for a user: give it one, or use NO_PROXY.")
    if refusal.is_page and status == 503:
        return ModelUnreachable(web_page_error(status, url_setting).sentence, retry_after=RETRY_AFTER)
    if refusal.is_page and status not in (401, 413, 429):
        return web_page_error(status, url_setting)
    if refusal.is_about_path:
        return ModelError(
            f"The model server has no chat completions at its address ({status}): check the path in {url_setting}."
        )
    return None


def _by_status(  # noqa: PLR0911 - a table, one row per status
    refusal: ModelRefusal, model: str, keys: ValueKeys
) -> CanopyError | None:
    status = refusal.status
    if status < 500 and is_content_filter(refusal.message):
        return ModelContentFiltered("The model server's filter refused the text, or the answer to it.")
    if refusal.is_about_quota:
        return ModelError(
            f"The quota at the model server is used up ({status}): look at the plan and the bills of the account whose "
            "key LLAMA_STACK_CLIENT_API_KEY holds."
        )
    match status:
        case 401 | 403:
            sentence = f"The model server refused Canopy's credentials ({status}): check LLAMA_STACK_CLIENT_API_KEY."
            return ModelError(sentence)
        case 404:
            change = f"set `{keys.model}` in the values to" if keys.model else "name"
            return ModelNotFound(f"The model server has no model `{model}`: {change} one that it lists.")
        case 413:
            return prompt_too_long()
        case 408 | 504:
            return ModelTimeout(f"The model server, or what stands before it, gave up waiting ({status}).")
        case 429 | 503:
            wait = parse_retry_after(refusal.headers.get("retry-after"))
            seconds = RETRY_AFTER if wait is None or wait > _LONGEST_RETRY_AFTER else max(1, math.ceil(wait))
            return ModelBusy("The model server has too much to do. Try again in a moment.", retry_after=seconds)
        case _:
            return None


def _page_words(data: bytes) -> ErrorMessage:
    text = re.sub(r"(?is)<(script|style).*?(</\1>|\Z)|<[^>]*>?", " ", data[:4000].decode(errors="replace"))
    return ErrorMessage(" ".join(text.split())[:200])
