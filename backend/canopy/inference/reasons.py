"""A model server's own words, fit for a log line and for reviewers: short, without secrets, without the prompt."""

import re
from collections.abc import Iterable

from canopy.addresses import without_credentials

_LONGEST = 300  # characters that are kept
_LOOKED_AT = 2_000  # characters that are cleaned; further ones are cut off before
_WINDOW = 12  # characters; what is looked for in the prompt stands at every so many of the words
_QUOTED = 20  # characters in common from which on words count as the prompt's

# Keys by their usual beginnings, what follows `Bearer`, and unbroken runs of letters and figures as no word has them.
_SECRET = re.compile(
    r"""(?x) \b(?:sk|pk|rk|gsk|hf|xai|nvapi|AIza|eyJ|gh[opsu]|glpat|xox[abp])[-_.]?[A-Za-z0-9*][\w*.\-]{4,}
    | (?i:\bbearer\s+)(?!token)\S+
    | (?i:\b(?:api[_-]?key|token|password|secret|authorization)["']?\s*[:=]\s*["']?)(?!bearer)[^\s"',;}]{4,}
    | \b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{24,}\b"""
)


def fit(reason: str, private: Iterable[str], secrets: Iterable[str] = ()) -> str:
    """The words without what is `private` (texts that they may quote in part) and without secrets, shortened."""
    text = " ".join(reason[:_LOOKED_AT].split())
    for secret in secrets:
        if len(secret) > 3:
            text = text.replace(secret, "…")
    text = _SECRET.sub("…", without_credentials(text))
    for quoted in private:
        text = _without_quotes(text, " ".join(quoted.split()))
    text = "".join(sign if sign.isprintable() else " " for sign in text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"


def _without_quotes(text: str, quoted: str) -> str:
    """The text with `…` for each longer run of characters that it has in common with the other one."""
    if 3 < len(quoted) < _QUOTED:
        return text.replace(quoted, "…")
    kept, at, copied = [], 0, 0
    # Any run of two windows holds one whole window that begins at a multiple, and so few looks into a long prompt do.
    while at + _WINDOW <= len(text):
        found = quoted.find(text[at : at + _WINDOW])
        if found < 0:
            at += _WINDOW
            continue
        begin, end, there = at, at + _WINDOW, found + _WINDOW
        while begin > copied and found > 0 and text[begin - 1] == quoted[found - 1]:
            begin, found = begin - 1, found - 1
        while end < len(text) and there < len(quoted) and text[end] == quoted[there]:
            end, there = end + 1, there + 1
        if end - begin >= _QUOTED:
            kept.append(text[copied:begin] + "…")
            copied = end
        at = max(at + _WINDOW, copied)
    return "".join(kept) + text[copied:]
