"""Parses the error messages of model servers, whatever their JSON looks like, and maps them to Canopy's errors."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import orjson

from canopy.base.errors import MaxTokensRefused, ModelContentFiltered, ModelError, PromptTooLong
from canopy.inference.chunk_errors import fold_keys
from canopy.inference.protocol import NO_KEYS, ValueKeys

# Finish reasons of a complete answer: OpenAI, TGI, Llama Stack, Ollama, Anthropic, Cohere, Mistral and Gemini.
_WHOLE = {
    *("stop", "eos", "eos_token", "stop_sequence", "end_turn", "end_of_turn", "end_of_message", "end_of_text"),
    *("tool_calls", "tool_call", "tool_use", "function_call", "complete", "completed", "done", "end", "finished"),
}
_CUT = {"length", "max_tokens", "max_output_tokens", "model_length", "out_of_tokens", "max_length"}
_FILTERED = {
    *("content_filter", "content_filtered", "safety", "recitation", "prohibited_content", "blocklist", "refusal"),
    *("guardrail_intervened", "spii", "sensitive"),
}
_GAVE_UP = {"error", "abort", "aborted", "cancelled", "canceled", "failed", "timeout", "insufficient_system_resource"}
_NAME = re.compile(r"[\w .:-]{1,40}")

# Keys that hold an error's sentence, as `fold_keys` spells them, the likeliest first.
_SENTENCES = (
    *("error", "message", "detail", "errors", "msg", "errormessage", "errormsg", "exception", "fault", "failure"),
    *("faultstring", "errmsg", "statusmsg", "description", "title"),
)

_TOO_LONG = re.compile(
    r"""(?isx) context .{0,20} (length|size|window|limit)
    | (prompt|input|request|message|conversation)s? \s is \s too \s (long|large)
    | reduce \s the \s length \s of \s the \s (messages|input|prompt)
    | (input|prompt) .{0,40} (exceed|longer \s than|must \s have \s less)
    | token \s count .{0,30} exceed | too \s many \s (input \s)? tokens"""
)
# The wordings of Azure, OpenAI, LiteLLM, Alibaba, DeepSeek and Google; a filter that failed to run has other words.
_FILTER = re.compile(
    r"""(?ix) \bcontent_(filter|policy_violation)\b | ContentPolicyViolation | ResponsibleAIPolicyViolation
    | data_inspection_failed | \bprohibited_content\b | content \s exists \s risk
    | (violat\w{1,6}|triggering) .{0,40} (content|usage|safety) .{0,20} polic"""
)
_PARAMETER = re.compile(r"(?i)max_(completion_|new_|output_)?tokens")
_REFUSES_PARAMETER = re.compile(
    r"""(?ix) (unsupported|unrecognized|unknown|unexpected) \s (request \s )?(parameter|argument|field|input|keyword)
    | \bextra (\s inputs|_forbidden) | not \s (supported|permitted|allowed|recognized)"""
)
_ANSWER = re.compile(r"(?i)maximum (number of )?tokens|(completion|output) tokens|in the (completion|output)")
_NUMBER = r"(\d[\d,]*+)"
_CONTEXT = re.compile(
    rf"(?i)(?:context (?:length|size|window)\W{{0,3}}(?:is|of)?\s*(?:only )?|max_new_tokens\W+must be <=\s*)"
    rf"[`(]*{_NUMBER}"
)
_INPUT = re.compile(
    rf"(?i)(?<![\d,]),*+{_NUMBER}`? (?:in the (?:messages|prompt)|of text input|input tokens|prompt tokens"
    r"|`?inputs`? tokens|tokens (?:in|from|of) (?:the|your) (?:input|prompt|messages))"
)
_CAP = re.compile(
    rf"""(?ix) (?: at\smost\s | less\sthan\sor\sequal\sto\s | \[\s*1\s*,\s* | between\s1\sand\s | limit\sof\s
    | (?:exceed|greater\sthan|larger\sthan|maximum\sis|maximum\sof|<=?)\s | \d\s>\s ) [`(]*{_NUMBER}"""
)
_DEEPEST = 5  # levels of nested errors that are searched
_LONGEST = 4_000  # characters of an error message that are read
_LONGEST_CODE = 200  # characters of an error code
_ANY = 1 << 62  # more tokens than anybody asks for
_LEAST = 16  # tokens; with less room than this, the prompt is what is too long


class ErrorMessage(NamedTuple):
    """Holds a server's error: the sentence for people (`words`) and the codes for programs."""

    words: str
    codes: str = ""

    @property
    def text(self) -> str:
        """Return the words and the codes in one string, to search in."""
        return f"{self.words} {self.codes}"


def parse_error_json(body: object) -> ErrorMessage:
    """Return the message in a parsed error body of any usual shape, without what it quotes of the request."""
    parts = fold_keys(body) if isinstance(body, dict) else {}
    inner = next((parts[key] for key in ("error", "exception", "fault") if parts.get(key)), None)
    parts = fold_keys(inner) if isinstance(inner, dict) else parts
    return ErrorMessage(_words(body)[:_LONGEST], _codes(parts, "type", "code", "param", "errortype"))


def parse_error_body(data: bytes) -> ErrorMessage:
    """Return the message in an error body; text that is no JSON is the message itself."""
    try:
        return parse_error_json(orjson.loads(data))
    except orjson.JSONDecodeError:
        return ErrorMessage(" ".join(data[:_LONGEST].decode(errors="replace").split()))


def says_prompt_too_long(error_text: str) -> bool:
    """Return whether a server's error text means that the prompt exceeds the context; codes for that differ."""
    return _TOO_LONG.search(error_text) is not None


def says_token_room(text: str) -> bool:
    """Return whether a text names both the size of the context and the tokens that the prompt takes."""
    return _CONTEXT.search(text) is not None and _INPUT.search(text) is not None


def answer_token_limit(text: str, asked: int) -> int | None:
    """Return how many tokens an answer may have according to a server that refuses `max_tokens`.

    0 means that the prompt leaves no room. None means that the text is about something else, or names no number below
    `asked`, the tokens that were asked for.
    """
    context, taken = _CONTEXT.search(text), _INPUT.search(text)
    if context and taken:
        room = _count(context) - _count(taken)
        return room if _LEAST <= room < asked else 0 if room < _LEAST else None
    if context or not (_PARAMETER.search(text) or _ANSWER.search(text)):
        return None
    caps = [cap for found in _CAP.finditer(text) if 0 < (cap := _count(found)) < asked]
    return min(caps, default=None)


def error_for_refused_request(
    message: ErrorMessage, otherwise: str, keys: ValueKeys = NO_KEYS
) -> ModelError | PromptTooLong:
    """Return the error for a request that a server refused.

    `otherwise` is the sentence for unknown causes, `keys` as in `ChatRequest`.
    """
    text, reason = message.text, message.words
    if says_token_room(text):  # token counts are more reliable than wording
        return max_tokens_refused(reason, keys) if answer_token_limit(text, _ANY) else prompt_too_long(reason)
    if _PARAMETER.search(text) and _REFUSES_PARAMETER.search(text):
        return ModelError(
            "The model server takes no limit of an answer's length by the names `max_tokens` and "
            "`max_completion_tokens`: look at what it says, and let it take one of them.",
            reason=reason,
        )
    if _PARAMETER.search(text):
        return max_tokens_refused(reason, keys)
    if says_prompt_too_long(text):
        return prompt_too_long(reason)
    return max_tokens_refused(reason, keys) if _ANSWER.search(text) else ModelError(otherwise, reason=reason)


def max_tokens_refused(reason: str, keys: ValueKeys) -> MaxTokensRefused:
    """Return the error for an answer that may not be as long as was asked for."""
    many = (
        f"of `{keys.max_tokens}` tokens: lower that value." if keys.max_tokens else "of so many tokens: ask for fewer."
    )
    return MaxTokensRefused(f"The model server allows no answer {many}", reason=reason)


def prompt_too_long(reason: str | None = None) -> PromptTooLong:
    """Return the error for a prompt that exceeds the model's context."""
    sentence = "The text is too long for the model. Shorten it, or send it in parts."
    return PromptTooLong(sentence, reason=reason)


def is_content_filter(message: ErrorMessage) -> bool:
    """Return whether the message says that a content filter refused the text."""
    return _FILTER.search(message.text) is not None


def check_finish_reason(known: str) -> None:
    """Raise ModelError for a lower-case finish reason that is known to mean an incomplete answer."""
    if known in _FILTERED:
        raise ModelContentFiltered(
            f"The model server's filter stopped the answer (`{known}`).", reason=f"finish_reason: {known}"
        )
    if known in _GAVE_UP:
        raise ModelError(f"The model server gave up on the answer (`{known}`).", reason=f"finish_reason: {known}")


def normalize_finish_reason(reason: object) -> str:
    """Return the finish reason of a complete answer in lower case; all that mean a cut at `max_tokens` become `length`.

    Raises ModelError for any other reason.
    """
    name = str(reason)
    known = name.lower()
    if known in _WHOLE:
        return known
    if known in _CUT:
        return "length"
    check_finish_reason(known)
    shown = f"`{name}`" if _NAME.fullmatch(name) else "a reason"
    raise ModelError(
        f"The model's answer ended for {shown}, which Canopy doesn't know, so that it does not count as complete.",
        reason=f"finish_reason: {name[:40]}",
    )


def _count(found: re.Match[str]) -> int:
    return int(found[1].replace(",", "")[:12])


def _words(body: object, depth: int = 0) -> str:
    if isinstance(body, str):
        return " ".join(body[:_LONGEST].split())
    if isinstance(body, list) and depth < _DEEPEST:
        return "; ".join(filter(None, (_words(each, depth + 1) for each in body[:3])))
    return _words_in(body, depth) if isinstance(body, dict) and depth < _DEEPEST else ""


def _words_in(body: dict[str, object], depth: int) -> str:
    parts = fold_keys(body)
    loc = parts.get("loc")
    if "msg" in parts and isinstance(loc, list):  # a validation error as web frameworks report it
        return f"{'.'.join(map(_code, loc[:6]))}: {_words(parts['msg'], depth + 1)}"
    for key in _SENTENCES:
        if words := _words(parts.get(key), depth + 1):
            return words
    return _codes(parts, "type", "code")


def _codes(parts: Mapping[str, object], *keys: str) -> str:
    return " ".join(_code(value) for key in keys if (value := parts.get(key)))


def _code(value: object) -> str:
    """Return a word or a number for programs, cut to a bounded length; "" for anything else."""
    return str(value)[:_LONGEST_CODE] if isinstance(value, str | int | float) else ""
