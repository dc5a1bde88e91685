"""Holds the message of a commit against its evidence: what it says in Canopy's form has to be what Canopy would say.

Nobody but people reads a message, and they decide by it what to merge. They may add lines of their own, and a squash
may leave lines out or wrap them.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from canopy.gitops.evidence import Promotion
from canopy.gitops.message import commit_message
from canopy.gitops.recomputation import Checked
from canopy.text.visible import excerpt

_QUOTED = 160  # characters of a line that a sentence quotes
_MOST_WRAPPED = 12  # lines that one of Canopy's may have been wrapped into
_NUMBERED = re.compile(r" \((?:#|!)\d+\)\Z", re.ASCII)  # what a host puts behind the subject of a squash
_BULLET = re.compile(r"\A[\W_]+")  # marks of lists, quotations, headings: none of Canopy's lines begins so
_EMPHASIS = re.compile(r"[*`~]|__")  # of Markdown, in which hosts show messages
_BEFORE_COLON = re.compile(r" :(?= |\Z)")
_PAGE = re.compile(r", https?://\S+\Z")
# How each kind of line begins or reads, without regard to case.
_FORM = re.compile(
    r"(?P<subject>(?:Promote Prompt B|Keep Prompt A|Take back the promotion)\b)"
    r"|(?P<outcome>sha256:\S+ (?:with [^\n]*)?answers everybody)"
    r"|(?P<force>FORCED\b)"
    r"|(?P<why>Why:(?: |\Z))"
    r"|(?P<alias>In MLflow's registry |The alias \S+ is gone there)"
    r"|(?P<grounds>The promotion rested on:)"
    r"|(?P<votes>Votes:(?: |\Z))"
    r"|(?P<counts>A [\d,]+, B [\d,]+)"
    r"|(?P<e_values>E for [AB] )"
    r"|(?P<columns>The left column was )"
    r"|(?P<cost>Cost(?:,|:))"
    r"|(?P<cost_of_a>A (?:\d|first token|all \d|none )[^\n]*failed\Z)"
    r"|(?P<cost_of_b>B (?:\d|first token|all \d|none )[^\n]*failed\Z)"
    r"|(?P<cost_ratio>B takes [\d.e+-]+ times )"
    r"|(?P<evaluation>Evaluation:(?: |\Z))"
    r"|(?P<seen>Votes on single answers)"
    r"|(?P<thumbs>sha256:\S+(?: with [^\n]*)?: (?:none|\d+%) of [\d,]+ thumbs)"
    r"|(?P<experiment>Experiment:(?: |\Z))"
    r"|(?P<hypothesis>Hypothesis:(?: |\Z))"
    r"|(?P<reverts>Reverts:(?: |\Z))"
    r"|(?P<evidence>Evidence:(?: |\Z))"
    r"|(?P<check>Check:(?: |\Z))"
    r"|(?P<way_back>Take back:(?: |\Z))",
    re.IGNORECASE | re.ASCII,
)
# A subject that says another thing than Canopy's, such as what Git writes over a commit that takes evidence away.
_OTHER_SUBJECT = re.compile(
    r"Take back\b(?!:)|Revert \W*(?:Promote Prompt B|Keep Prompt A|Take back)\b", re.IGNORECASE | re.ASCII
)


class Told(NamedTuple):
    """What a message may tell of: a change, and the paths of the values file and the evidence when that was made."""

    predicate: Promotion
    values: str
    evidence: str


def check_message(message: str, told: Sequence[Told]) -> Iterator[Checked]:
    """Look at each line of the message of a commit, which may be a merge of several changes.

    Of what was forced the message has to say so, unless it has nothing of Canopy's but a subject, as of a squash.
    """
    made = [commit_message(it.predicate, it.values, it.evidence, None) for it in told]
    wanted = list(dict.fromkeys(it for each in made for line in each.splitlines() if (it := _plain(line))))
    why_is_own = any(it.predicate.action == "rollback" for it in told)
    said = [it for line in message.splitlines() if (it := _plain(line))]
    found, wrong = set[str](), list[str]()
    at = 0
    while at < len(said):
        line, lines = _longest(said[at:], wanted)
        if line is not None:
            found.add(line)
        else:
            form = _form_at(at, said[at])
            if form is not None and (form != "why" or why_is_own):
                wrong.append(said[at])
        at += lines
    for line in wrong:
        yield Checked(False, f"The message says “{excerpt(line, _QUOTED)}”, {_instead(line, wanted)}")
    missing = [line for line in wanted if line not in found]
    unsaid = [line for line in missing if form_of(line) == "force"]
    if {form_of(line) for line in found} - {"subject"} and not any(form_of(line) == "force" for line in wrong):
        for line in unsaid:
            wrong.append(line)
            yield Checked(False, f"The message leaves out “{excerpt(line, _QUOTED)}”, and has other lines of Canopy's.")
    if not wrong:
        yield Checked(True, _how_much(missing, wanted))


def form_of(line: str) -> str | None:
    """Return which kind of line of Canopy's this has the form of; None for people's own words."""
    found = _FORM.match(line)
    return found.lastgroup if found else None


def _form_at(number: int, line: str) -> str | None:
    """Return the form of a line of a message; the first may also be another subject."""
    line = _BULLET.sub("", line)
    return "subject" if number == 0 and _OTHER_SUBJECT.match(line) else form_of(line)


def _longest(said: Sequence[str], wanted: Sequence[str]) -> tuple[str | None, int]:
    """Return the line of Canopy's that these begin with, and over how many of them it goes; None and 1 for none."""
    together = ""
    for number, line in enumerate(said[:_MOST_WRAPPED], 1):
        together = f"{together} {line}" if together else _BULLET.sub("", line)
        for it in (together, _NUMBERED.sub("", together), _PAGE.sub("", together)):
            if it in wanted and (it == together or form_of(it) in {"subject", "experiment"}):
                return it, number
        if together.removesuffix(",") not in wanted and not any(it.startswith(together) for it in wanted):
            break
    return None, 1


def _instead(line: str, wanted: Sequence[str]) -> str:
    line = _BULLET.sub("", line)
    form = "subject" if _OTHER_SUBJECT.match(line) else form_of(line)
    own = next((it for it in wanted if form_of(it) == form), None)
    return f"the evidence makes it “{excerpt(own, _QUOTED)}”." if own else "and the evidence says nothing of the kind."


def _how_much(missing: Sequence[str], wanted: Sequence[str]) -> str:
    if not missing:
        return "The message has each line that Canopy makes of the evidence, and no other in Canopy's form."
    if len(missing) == len(wanted):
        return "No line of the message has Canopy's form: it is people's own."
    left = f"it leaves out {len(missing)} of Canopy's {len(wanted)} lines"
    return (
        "Each line of the message in Canopy's form is what the evidence makes it; "
        f"{left}, the first “{excerpt(missing[0], _QUOTED)}”."
    )


def _plain(line: str) -> str:
    """Return a line without what nobody sees, or sees as emphasis."""
    seen = "".join(each for each in unicodedata.normalize("NFKC", line) if unicodedata.category(each) != "Cf")
    return _BEFORE_COLON.sub(":", " ".join(_EMPHASIS.sub("", seen).split()))
