"""Unknown keys of a values file: what was probably meant."""

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from canopy.text.yaml_errors import sentence_of

_ALIKE = 0.75  # of 1: two letters of eight may be wrong, or the separators


def describing(model: type[BaseModel], renamed: Iterable[tuple[str, str]] = ()) -> Callable[[ErrorDetails], str]:
    """How to tell a finding on a document of this kind.

    `renamed` are keys that the document has under another name than the model: that name, and the model's.
    """
    given = {own: former for former, own in renamed}

    def describe(item: ErrorDetails) -> str:
        if former := given.get(".".join(map(str, item["loc"]))):
            item = {**item, "loc": tuple(former.split("."))}
        meant = _meant(model, item["loc"]) if item["type"] == "extra_forbidden" else None
        if meant is None:
            return sentence_of(item)
        return f"`{'.'.join(map(str, item['loc']))}` is not a known key. Did you mean `{meant}`?"

    return describe


def _meant(model: type[BaseModel], loc: tuple[int | str, ...]) -> str | None:
    """The key beside it that is spelled alike; else one in another section that is spelled so."""
    *above, key = loc
    section: type[BaseModel] | None = model
    named = False  # the next part is a name of people's own, such as a feature's
    for part in above:
        if named:
            named = False
        elif section is not None and isinstance(part, str):
            annotation = _fields(section).get(part)
            section, named = _section(annotation), get_origin(annotation) is dict
    here = {_plain(name): name for name in _fields(section)} if section else {}
    if alike := get_close_matches(_plain(str(key)), here, 1, _ALIKE):
        return ".".join(map(str, [*above, here[alike[0]]]))
    return next((path for path in _paths(model, "") if path.rpartition(".")[2] == key), None)


def _plain(key: str) -> str:
    return key.lower().replace("-", "").replace("_", "")


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """The annotation of each key."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _section(annotation: Any) -> type[BaseModel] | None:
    """The kind of mapping that is in it, if any: also in a list, or where null may stand."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section, get_args(annotation))), None)


def _paths(model: type[BaseModel], before: str) -> Iterator[str]:
    for key, annotation in _fields(model).items():
        yield before + key
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _paths(annotation, f"{before}{key}.")
