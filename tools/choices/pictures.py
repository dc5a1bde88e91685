"""The pictures of docs/experiments.md, each drawn from what the real decision makes of choices."""

from functools import cache
from math import log
from typing import NamedTuple

from canopy.experiments.simulation import SimulatedRun, VoterModel, replay, simulate, typical_run, winners_within
from canopy.stats.sequential import confidence_sequence
from tools.choices.figures import RULE, Errors, by_place, course, errors_without_difference, limits, values
from tools.choices.people import Pair, parties, sounds, universities
from tools.choices.svg import BLUE, GREY, INK, RED, WIDTH, Canvas

RUNS, SEED = 1000, 1  # those of `canopy ab simulate`
_TIES = 0.2  # as there, too
_FLIPS, _FLIPS_SEED = 50, 2026  # runs of each pair of sounds
_LEFT, _RIGHT = 70.0, WIDTH - 30.0
_ROW = 22.0


class _Row(NamedTuple):
    label: str
    share: float
    interval: tuple[float, float]
    decided: bool
    note: str


@cache
def simulated(win_rate: float) -> list[SimulatedRun]:
    """Return the experiments that `canopy ab simulate` makes where Prompt B has this win rate."""
    return list(simulate(VoterModel(win_rate, _TIES), limits(), RUNS, SEED))


@cache
def listeners() -> tuple[Errors, Errors]:
    """Return how often a winner is named between sounds that are liked equally: people take turns, or they don't."""
    heard = sounds()
    turns, blocks = (errors_without_difference(heard, _FLIPS, _FLIPS_SEED, turns=turns) for turns in (True, False))
    return turns, blocks


def one_experiment() -> str:
    """A simulated experiment in which 60 % prefer Prompt B, from its first vote to its decision."""
    runs = simulated(0.6)
    index = typical_run(runs)
    steps = replay(VoterModel(0.6, _TIES), SEED, index, runs[index].n)
    last = steps[-1].votes
    canvas = Canvas(360, "One experiment: the interval shrinks until ½ is outside")

    def at(votes: float, share: float) -> tuple[float, float]:
        return _LEFT + (_RIGHT - _LEFT) * votes / last, 310 - 260 * share

    _shares(canvas, [(share, at(0, share)[1]) for share in (0, 0.25, 0.5, 0.75, 1)])
    ends = [
        (step.votes, confidence_sequence(step.wins_b, step.wins_a, prior=RULE.prior_strength, alpha=RULE.alpha))
        for step in steps
    ]
    band = [at(votes, low) for votes, (low, _) in ends] + [at(votes, high) for votes, (_, high) in reversed(ends)]
    canvas.area(band, BLUE)
    canvas.line([at(0, 0.5), at(last, 0.5)], INK)
    canvas.line([at(step.votes, step.wins_b / (step.wins_a + step.wins_b)) for step in steps], BLUE, width=2)
    canvas.line([at(0, 0.6), at(last, 0.6)], RED, dashed=True)
    canvas.dot(*at(last, steps[-1].wins_b / len(steps)), BLUE)
    canvas.text(_LEFT, 350, "Shaded: the interval. Line: the share so far that prefers B. Dashed: the truth, 60 %.")
    for votes in (0, 50, 100, 150, 200):
        canvas.text(at(votes, 0)[0], 328, f"{votes} votes" if votes else "0", colour=GREY, end="middle")
    canvas.text(_RIGHT, at(0, 0.93)[1], f"B is better, after {last} votes", colour=BLUE, end="end", bold=True)
    return canvas.to_svg()


def looking() -> str:
    """How many of 1,000 experiments without a difference have named a winner, by votes."""
    null = simulated(0.5)
    canvas = Canvas(330, "Two equally good prompts: experiments that have named a winner")
    first, last = 10, 2500

    def at(votes: float, share: float) -> tuple[float, float]:
        return _LEFT + (_RIGHT - _LEFT) * log(votes / first) / log(last / first), 280 - 380 * share

    _shares(canvas, [(share, at(first, share)[1]) for share in (0, 0.2, 0.4, 0.6)])
    looks = sorted({round(first * (last / first) ** (step / 60)) for step in range(61)})
    by_votes = [(votes, winners_within(null, votes)) for votes in looks]
    canvas.line([at(first, RULE.alpha), at(last, RULE.alpha)], GREY, dashed=True)
    canvas.line([at(votes, z) for votes, (_, z) in by_votes], RED, width=2.5)
    canvas.line([at(votes, rule) for votes, (rule, _) in by_votes], BLUE, width=2.5)
    canvas.text(*at(60, 0.36), "significant at 5 %, looked at after each vote", colour=RED, end="middle")
    canvas.text(*at(200, 0.08), "Canopy's decision (promised: 5 % at most)", colour=BLUE, end="middle")
    for votes in (10, 30, 100, 300, 1000, 2500):
        canvas.text(at(votes, 0)[0], 298, f"{votes:,}", colour=GREY, end="middle")
    canvas.text((_LEFT + _RIGHT) / 2, 319, "votes", colour=GREY, end="middle")
    return canvas.to_svg()


def of_universities() -> str:
    """What the decision says of each pair of universities."""
    rows = []
    for pair in universities():
        went = course(values(pair))
        share, (low, high) = went.decision.win_rate_b or 0.0, went.decision.interval
        one, other = pair.one, pair.other
        if share < 0.5:  # beside each other they are read more easily
            one, other, share, low, high = other, one, 1 - share, 1 - high, 1 - low
        note = f"decided after {went.first.votes}" if went.first else "open"
        rows.append(_Row(f"{one} or {other}", share, (low, high), went.first is not None, note))
    rows.sort(key=lambda row: -row.share)
    return _rows("303 students, 15 pairs of universities: who prefers the first of the two", rows)


def of_places() -> str:
    """What the decision says of what was shown first, in each pair of parties."""
    rows = []
    for pair in parties():
        went = course(by_place(pair))
        note = "decided" if went.first else "open"
        rows.append(
            _Row(_named(pair), went.decision.win_rate_b or 0.0, went.decision.interval, went.first is not None, note)
        )
    return _rows("192 people, 15 pairs of parties: who chose what was shown first", rows)


def of_listeners() -> str:
    """How often a winner is named between sounds that are liked equally, by what is counted."""
    turns, blocks = listeners()
    bars = [
        ("the first vote of each person", turns.firsts, BLUE),
        ("every vote, where people take turns", turns.every, RED),
        ("every vote, one person after another", blocks.every, RED),
    ]
    canvas = Canvas(190, "40 listeners, no difference: how often a winner is named all the same")
    begin, scale = 280.0, 800.0
    for number, (label, share, colour) in enumerate(bars):
        y = 48 + 34 * number
        canvas.text(begin - 12, y + 16, label, end="end")
        canvas.bar(begin, y, max(scale * share, 2), 22, colour)
        canvas.text(begin + max(scale * share, scale * RULE.alpha) + 10, y + 16, f"{100 * share:.1f} %")
    limit = begin + scale * RULE.alpha
    canvas.line([(limit, 42), (limit, 150)], INK, dashed=True)
    canvas.text(limit, 172, "promised: 5 % at most", colour=GREY, end="middle")
    return canvas.to_svg()


def _named(pair: Pair) -> str:
    return f"{pair.one} or {pair.other}"


def _shares(canvas: Canvas, lines: list[tuple[float, float]]) -> None:
    """Draw the lines of a scale of shares, given each with its height."""
    for share, y in lines:
        canvas.line([(_LEFT, y), (_RIGHT, y)], GREY, width=0.4)
        canvas.text(_LEFT - 8, y + 5, f"{100 * share:.0f} %", colour=GREY, end="end")


def _rows(title: str, rows: list[_Row]) -> str:
    """Draw intervals below each other, beside the line of ½."""
    top, begin, width = 66.0, 210.0, 400.0
    bottom = top + _ROW * len(rows)
    canvas = Canvas(bottom + 14, title)
    for quarter in range(5):
        x = begin + width * quarter / 4
        canvas.line([(x, top - 8), (x, bottom)], INK if quarter == 2 else GREY, width=1.5 if quarter == 2 else 0.4)
        canvas.text(x, top - 16, f"{25 * quarter} %", colour=GREY, end="middle")
    for number, row in enumerate(rows):
        y, colour = top + _ROW * (number + 0.5), BLUE if row.decided else GREY
        canvas.text(begin - 14, y + 5, row.label, end="end")
        canvas.line([(begin + width * end, y) for end in row.interval], colour, width=3)
        canvas.dot(begin + width * row.share, y, colour)
        canvas.text(begin + width + 16, y + 5, row.note, colour=colour)
    return canvas.to_svg()
