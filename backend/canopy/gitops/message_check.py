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
_PAGE = re.compile(r", https?://\S+\Z")
# How each kind of line begins or reads, without regard to case.
_FORM = re.compile(
    r"(?P<subject>(?:Promote Prompt B|Keep Prompt A|Take back the promotion) of )"
    r"|(?P<outcome>sha256:\S+ (?:with [^\n]*)?answers everybody)"
    r"|(?P<force>FORCED\b)"
    r"|(?P<why>Why: )"
    r"|(?P<alias>In MLflow's registry |The alias \S+ is gone there)"
    r"|(?P<grounds>The promotion rested on:)"
    r"|(?P<votes>Votes: )"
    r"|(?P<counts>A [\d,]+, B [\d,]+)"
    r"|(?P<e_values>E for [AB] )"
    r"|(?P<columns>The left column was )"
    r"|(?P<cost>Cost(?:,|:))"
    r"|(?P<cost_of_a>A (?:\d|first token|all \d|none )[^\n]*failed\Z)"
    r"|(?P<cost_of_b>B (?:\d|first token|all \d|none )[^\n]*failed\Z)"
    r"|(?P<cost_ratio>B takes [\d.e+-]+ times )"
    r"|(?P<evaluation>Evaluation: )"
    r"|(?P<seen>Votes on single answers)"
    r"|(?P<thumbs>sha256:\S+(?: with [^\n]*)?: (?:none|\d+%) of [\d,]+ thumbs)"
    r"|(?P<experiment>Experiment: )"
    r"|(?P<hypothesis>Hypothesis: )"
    r"|(?P<reverts>Reverts: )"
    r"|(?P<evidence>Evidence: )"
    r"|(?P<check>Check: )"
    r"|(?P<way_back>Take back: )",
    re.IGNORECASE | re.ASCII,
)


class Told(NamedTuple):
    """What a message may tell of: a change, and the paths of the values file and the evidence when that was made."""

    predicate: Promotion
    values: str
    evidence: str


def check_message(message: str, told: Sequence[Told]) -> Iterator[Checked]:
    """Look at each line of the message of a commit, which may be a merge of several changes."""
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
        elif (form := form_of(_BULLET.sub("", said[at]))) is not None and (form != "why" or why_is_own):
            wrong.append(said[at])
        at += lines
    for line in wrong:
        yield Checked(False, f"The message says “{excerpt(line, _QUOTED)}”, {_instead(line, wanted)}")
    missing = [line for line in wanted if line not in found]
    if not wrong:
        yield Checked(True, f"The message says {_how_much(missing, wanted)}")


def form_of(line: str) -> str | None:
    """Return which kind of line of Canopy's this has the form of; None for people's own words."""
    found = _FORM.match(line)
    return found.lastgroup if found else None


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
    form = form_of(_BULLET.sub("", line))
    own = next((it for it in wanted if form_of(it) == form), None)
    return f"the evidence makes it “{excerpt(own, _QUOTED)}”." if own else "and the evidence says nothing of the kind."


def _how_much(missing: Sequence[str], wanted: Sequence[str]) -> str:
    if not missing:
        return "what the evidence does."
    if len(missing) == len(wanted):
        return "nothing of the evidence: it is people's own."
    left = f"it leaves out {len(missing)} of Canopy's {len(wanted)} lines"
    return f"nothing else than the evidence; {left}, the first “{excerpt(missing[0], _QUOTED)}”."


def _plain(line: str) -> str:
    """Return a line without what nobody sees."""
    seen = "".join(each for each in unicodedata.normalize("NFKC", line) if unicodedata.category(each) != "Cf")
    return " ".join(seen.split())
