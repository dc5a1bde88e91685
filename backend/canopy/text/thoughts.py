"""Removes a model's reasoning ("thoughts"), which many servers leave in the answer.

The marks are those of common model families; `canopy.inference.thoughts` uses the same while an answer streams.
"""

import re

_NAMES = ("think", "thinking", "thought", "thoughts", "reasoning", "reflection", "seed:think")
# The mark that closes thoughts, by the one that opens them (in lower case): common tags, then those of Magistral, Kimi,
# OpenThinker and Cohere.
MARKS = {f"<{name}>": f"</{name}>" for name in _NAMES} | {
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|start_thinking|>": "<|end_thinking|>",
}
# An opening tag with attributes, and an incomplete one at the end of a text.
WITH_ATTRIBUTES = re.compile(rf"<({'|'.join(_NAMES)})\s[^<>]{{0,200}}>", re.IGNORECASE)
PART_WITH_ATTRIBUTES = re.compile(rf"<(?:{'|'.join(_NAMES)})\s[^<>]{{0,200}}\Z", re.IGNORECASE)
_MARK = re.compile(
    rf"<\s*+(?:(/)\s*+)?(?:{'|'.join(_NAMES)})(?:\s[^<>]{{0,200}})?+>"
    r"|\[(/?)think\]|◁(/?)think▷|<\|(?:begin|(end))_of_thought\|>|<\|(?:start|(end))_thinking\|>",
    re.IGNORECASE,
)
_LINE_START = re.compile(r"(?:\A|\n)[ \t]*\Z")
_SENTENCE_ENDS = {".", "!", "?", "\u2026", "\u3002"}
_LINE_END = re.compile(r"[ \t]*(?:\r?\n|\Z)")

# OpenAI's harmony format: `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…`.
_FINAL = re.compile(r"<\|channel\|>\s*+final\b")
_CHANNEL, _MESSAGE = "<|channel|>", "<|message|>"
_SIGN = re.compile(r"<\|[a-z_]+\|>")


def without_thoughts(text: str, *, opened_only: bool = False) -> str:
    """Return the answer without thoughts.

    Thoughts that never end leave nothing. A closing mark without an opening one, at either end of a line or between two
    sentences without a space, means that everything before it was thought: the prompt held the opening mark. Elsewhere
    it may be a quotation and stays. With `opened_only` nothing counts as thoughts but what has an opening mark: a mark
    that is quoted then takes away nothing that stands before it.
    """
    if _CHANNEL in text and not opened_only:
        text = _SIGN.sub("", _last_message(text))
    kept: list[str] = []
    depth = position = 0
    for mark in _MARK.finditer(text):
        if not any(mark.groups()):
            if not depth:
                kept.append(text[position : mark.start()])
            depth += 1
        elif depth:
            depth -= 1
        elif not opened_only and _at_an_edge(text, mark):
            kept.clear()
        else:
            continue
        position = mark.end()
    if not depth:
        kept.append(text[position:])
    return "".join(kept)


def lone_end(text: str) -> re.Match[str] | None:
    """Return the first closing mark, at either end of a line, without an opening one in the text.

    Many prompt templates end with the opening mark, so that the model's output begins within the thoughts.
    """
    depth = 0
    for mark in _MARK.finditer(text):
        if not any(mark.groups()):
            depth += 1
        elif depth:
            depth -= 1
        elif _at_an_edge(text, mark):
            return mark
    return None


def _at_an_edge(text: str, mark: re.Match[str]) -> bool:
    before = text[max(0, mark.start() - 80) : mark.start()]
    stuck = before[-1:] in _SENTENCE_ENDS and text[mark.end() : mark.end() + 1].isalnum()  # nobody quotes it like that
    return bool(stuck or _LINE_START.search(before) or _LINE_END.match(text, mark.end()))


def _last_message(text: str) -> str:
    """Return the last message in the channel `final`, without its header; "" if there is none."""
    begin = None
    while final := _FINAL.search(text, begin or 0):
        head = text.find(_MESSAGE, final.end())
        if head < 0:
            break
        begin = head + len(_MESSAGE)
    return "" if begin is None else text[begin:]
