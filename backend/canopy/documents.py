"""What is wrong with a YAML document that a person wrote, in sentences."""

import yaml
from pydantic_core import ErrorDetails


def refuse_repeated_keys(node: yaml.MappingNode) -> None:
    """Raise yaml's ConstructorError for a mapping with one key twice, where the last would win in silence."""
    seen: set[str] = set()
    for key, _ in node.value:
        name = str(key.value)
        if name in seen:
            raise yaml.constructor.ConstructorError(None, None, f"`{name}` stands twice", key.start_mark)
        seen.add(name)


def problem_of(error: Exception) -> str:
    """What yaml couldn't read, and where: ` at line 3, column 1: …`."""
    mark = getattr(error, "problem_mark", None)
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{place}: {getattr(error, 'problem', None) or _unplaced(error)}"


def _unplaced(error: Exception) -> str:
    match error:
        case yaml.reader.ReaderError():
            return f"{error.reason} (position {error.position + 1:,}); save it as UTF-8, and escape such characters"
        case RecursionError():
            return "it is nested too deeply"
        case _:
            return type(error).__name__


def sentence_of(item: ErrorDetails) -> str:
    """One of pydantic's findings as a sentence that names the key and doesn't repeat the value."""
    path = ".".join(str(part) for part in item["loc"])
    match item["type"]:
        case "extra_forbidden":
            return f"`{path}` is not a known key; check its spelling and indentation."
        case "missing":
            return f"`{path}` is missing."
        case "model_type":
            return f"`{path}` must be a mapping of keys." if path else "The file must be a mapping of keys."
        case "value_error":
            message = str(item["ctx"]["error"])
            return f"`{path}`: {message}." if path else f"{message}."
        case _:
            message = item["msg"].removeprefix("Input ")
            lowered = message if message[:2].isupper() else message[0].lower() + message[1:]
            return f"`{path}` {lowered}."
