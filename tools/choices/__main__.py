"""Writes the pictures of docs/experiments.md. A test compares what is there with what this would write."""

import sys
from collections.abc import Callable
from pathlib import Path

from tools.choices import pictures
from tools.choices.people import ChoicesMissingError

FOLDER = Path(__file__).parents[2] / "docs/pictures"
OF_SIMULATIONS: dict[str, Callable[[], str]] = {
    "one-experiment.svg": pictures.one_experiment,
    "looking.svg": pictures.looking,
}
OF_PEOPLE: dict[str, Callable[[], str]] = {
    "universities.svg": pictures.of_universities,
    "places.svg": pictures.of_places,
    "listeners.svg": pictures.of_listeners,
}

if __name__ == "__main__":
    try:
        drawn = {name: draw() for name, draw in (OF_SIMULATIONS | OF_PEOPLE).items()}
    except ChoicesMissingError as missing:
        sys.exit(str(missing))
    FOLDER.mkdir(exist_ok=True)
    for _name, _svg in drawn.items():
        (FOLDER / _name).write_text(_svg)
