"""Reads three sets of choices that real people made between two things; packages of R in Debian carry them.

`tools/debian-tools.sh` unpacks the packages. Their licence is another than Canopy's, so nothing of them is kept in the
repository.

- CEMSChoice: where 303 students of a business school would rather spend a semester. R. Dittrich, R. Hatzinger and W.
  Katzenbeisser, "Modelling the effect of subject-specific covariates in paired comparison studies with an application
  to university rankings", Applied Statistics 47, 1998.
- SoundQuality: 40 listeners, who compared eight formats of playback again and again. S. Choisel and F. Wickelmaier,
  "Evaluation of multichannel reproduced sound: scaling auditory attributes underlying listener preference", Journal of
  the Acoustical Society of America 121, 2007.
- GermanParties2009: 192 people on five parties and not voting, with what each was shown first.
"""

from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

_NAMES = {"StGallen": "St. Gallen", "Gruene": "Grüne", "none": "not voting"}  # what the data call them
FOLDER = Path(__file__).parents[2] / ".cache/choices/usr/lib/R/site-library"


class ChoicesMissingError(Exception):
    """The choices can't be read here. The message says what is missing, and how to get it."""


class Choice(NamedTuple):
    """One answer of one person: 1 for the pair's `one`, -1 for its `other`, 0 for neither."""

    person: str
    value: int
    one_first: bool | None = None  # whether `one` was shown first; None where nobody wrote it down


class Pair(NamedTuple):
    """Two things, and what people chose, in the order of the file."""

    one: str
    other: str
    choices: list[Choice]


def universities() -> list[Pair]:
    """CEMSChoice: each person once in each of 15 pairs. Who left a question out has no choice in its pair."""
    labels, columns = _pairs(_read("psychotree", "CEMSChoice")["preference"])
    return [
        Pair(labels[one], labels[other], [Choice(str(row), int(value)) for row, value in _given(column)])
        for (one, other), column in columns.items()
    ]


def sounds() -> list[Pair]:
    """SoundQuality: each of 40 listeners up to 20 times in each of 28 pairs."""
    data = _read("psychotools", "SoundQuality")
    listeners = [str(listener) for listener in data["id"]]
    labels, columns = _pairs(data["preference"])
    return [
        Pair(labels[one], labels[other], [Choice(listeners[row], int(value)) for row, value in _given(column)])
        for (one, other), column in columns.items()
    ]


def parties() -> list[Pair]:
    """GermanParties2009: each person once in each of 15 pairs; a column of `3:1` has those who were shown 3 first."""
    labels, columns = _pairs(_read("psychotools", "GermanParties2009")["ordered.pref"])
    pairs = []
    for one, other in sorted(key for key in columns if key[0] < key[1]):
        shown = [(row, Choice(str(row), int(value), True)) for row, value in _given(columns[one, other])]
        shown += [(row, Choice(str(row), -int(value), False)) for row, value in _given(columns[other, one])]
        pairs.append(Pair(labels[one], labels[other], [choice for _, choice in sorted(shown)]))
    return pairs


def _read(package: str, name: str) -> dict[str, Any]:
    """Return the columns of a data frame by name. Raises ChoicesMissingError."""
    file = FOLDER / package / "data" / f"{name}.rda"
    try:
        import rdata  # noqa: PLC0415 - it takes a second, and who only draws simulations needs none
    except ModuleNotFoundError as error:
        raise ChoicesMissingError("There is no rdata; `make install-dev` gets it.") from error
    if not file.exists():
        raise ChoicesMissingError(
            f"There is no {name}; `make install-dev` gets Debian's r-cran-{package}, or says why not."
        )
    classes = dict(rdata.conversion.DEFAULT_CLASS_MAP)
    classes["data.frame"] = lambda columns, _: columns
    classes["paircomp"] = lambda table, attributes: (table, attributes)
    parsed = rdata.parser.parse_file(file)
    found = rdata.conversion.convert(parsed, constructor_dict=classes, default_encoding="utf8")
    return {str(column): values for column, values in found[name].items()}


def _pairs(compared: Any) -> tuple[list[str], dict[tuple[int, int], list[float]]]:
    """Return the names of what was compared, and the column of each pair by its numbers, from 0."""
    table, attributes = compared
    columns = zip(attributes["dimnames"][1], table.values.T.tolist(), strict=True)
    numbered = {tuple(int(number) - 1 for number in str(name).split(":")): column for name, column in columns}
    return [_NAMES.get(str(label), str(label)) for label in attributes["labels"]], {
        (one, other): at for (one, other), at in numbered.items()
    }


def _given(column: list[float]) -> list[tuple[int, float]]:
    """Return the answers that were given, by row."""
    return [(row, value) for row, value in enumerate(column) if not isnan(value)]
