"""Sentences for pydantic's errors on a values file, with the names that the file has and guesses at misspelled keys."""

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from canopy.text.yaml_errors import sentence_of

_ALIKE = 0.75  # of 1, as difflib measures: two letters of eight may be wrong


def error_describer(model: type[BaseModel], renamed: Iterable[tuple[str, str]] = ()) -> Callable[[ErrorDetails], str]:
    """Return a function that turns one of pydantic's errors on a document into a sentence.

    `renamed` holds pairs of a key's name in the document and its name in the model, where they differ.
    """
    given = {own: former for former, own in renamed}

    def describe(item: ErrorDetails) -> str:
        path = ".".join(map(str, item["loc"]))
        if former := given.get(path):
            item = {**item, "loc": tuple(former.split("."))}
        if item["type"] == "extra_forbidden" and (meant := _meant(model, item["loc"])):
            return f"`{path}` is not a known key. Did you mean `{meant}`?"
        sentence = sentence_of(item)
        for own, former in given.items():
            section, _, key = own.rpartition(".")
            if section == path:  # its validator names keys in its message
                sentence = sentence.replace(f"`{key}`", f"`{former.rpartition('.')[2]}`")
        return sentence

    return describe


def _meant(model: type[BaseModel], loc: tuple[int | str, ...]) -> str | None:
    """Return the path of a similarly spelled key of the same section, else of an equal key of another; None if none."""
    *above, key = loc
    section: type[BaseModel] | None = model
    named = False  # whether the next part is a name that people chose, such as a feature's
    for part in above:
        if named:
            named = False
        elif section is not None and isinstance(part, str):
            annotation = _fields(section).get(part)
            section, named = _section(annotation), get_origin(annotation) is dict
    here = {_without_separators(name): name for name in _fields(section)} if section else {}
    if alike := get_close_matches(_without_separators(str(key)), here, 1, _ALIKE):
        return ".".join(map(str, [*above, here[alike[0]]]))
    return next((path for path in _paths(model, "") if path.rpartition(".")[2] == key), None)


def _without_separators(key: str) -> str:
    return key.lower().replace("-", "").replace("_", "")


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """Return each key's annotation."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _section(annotation: Any) -> type[BaseModel] | None:
    """Return the model in an annotation such as `Model | None` or `list[Model]`; None if there is none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section, get_args(annotation))), None)


def _paths(model: type[BaseModel], before: str) -> Iterator[str]:
    """Yield the path of every key, with `before` in front."""
    for key, annotation in _fields(model).items():
        yield before + key
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _paths(annotation, f"{before}{key}.")
