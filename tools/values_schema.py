"""The chart's values.schema.json, made from the models that the server itself checks its values with.

Draft 7, which Helm 3 and Helm 4 both read. What a model's own validators know and JSON Schema could say is added here
by hand; what it can't say (a label named like a rating) is left to the server, and what it would refuse without a
sentence (a feature's name) to `templates/_checks.tpl`.
"""

from collections.abc import Mapping
from typing import Any

from canopy.base.ratings import RESERVED_LABELS
from canopy.config.access import RESERVED_HEADERS
from canopy.config.chart.chart_values import ChartValues
from canopy.config.chart.process_settings import ChartSettings
from canopy.config.feature_values import TITLE_PATTERN
from canopy.config.former_names import FORMER_CHART_VALUES
from canopy.config.values import OWN_ASSESSMENTS, SATISFACTION
from canopy.text.json_schema import inlined

# An address, or a network whose prefix is no longer than an address.
_OCTET = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_IPV4 = rf"{_OCTET}(\.{_OCTET}){{3}}(/(3[0-2]|[12]?[0-9]))?"
_IPV6 = "[0-9a-fA-F:]*:[0-9a-fA-F:.]*(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?"
# More than what Python takes for white space, and no NUL.
_SPACES = "".join(filter(str.isspace, map(chr, range(0x3001))))
_SAYS_SOMETHING = rf"^[^\x00]*[^\x00{_SPACES}][^\x00]*$"
_NETWORK = f"^({_IPV4}|{_IPV6})$"


def chart_schema(descriptions: Mapping[str, str]) -> dict[str, Any]:
    """The schema. `descriptions` says what a key means by its path (`image.tag`); the server's keys bring their own."""
    model = ChartValues.model_json_schema()
    for part in (model, *model["$defs"].values()):
        part.pop("description", None)  # a docstring, for whoever reads the models
    schema: dict[str, Any] = _without_titles(inlined(model))
    properties = schema["properties"]
    properties["settings"] = _settings()
    properties["global"] = {"type": "object", "description": "Helm's, for a chart that contains this one; ignored."}
    _sharpen(properties)
    _refuse_nul(properties)
    _take_null(schema)
    settings = properties["settings"]["properties"]
    settings |= {name: _or_null(part) for name, part in settings.items()}
    _take_former_names(properties)
    for path, text in descriptions.items():
        _describe(schema, path.split("."), text)
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the chart canopy", **schema}


def _without_titles(part: Any) -> Any:
    """Return a part of a schema without its titles, which only repeat the names; a property `title` stays."""
    if isinstance(part, list):
        return [_without_titles(child) for child in part]
    if not isinstance(part, dict):
        return part
    return {name: _without_titles(child) for name, child in part.items() if name != "title" or isinstance(child, dict)}


def _settings() -> dict[str, Any]:
    # The chart has defaults of its own.
    settings = {
        name: {key: value for key, value in field.items() if key not in {"default", "title"}}
        for name, field in ChartSettings.model_json_schema()["properties"].items()
    }
    return {"type": "object", "additionalProperties": False, "properties": settings}


def _take_former_names(properties: dict[str, Any]) -> None:
    """Let each key have the name that it had as well."""
    for section, names in FORMER_CHART_VALUES.items():
        keys = properties[section]["properties"]
        for old, new in names.items():
            own = {key: value for key, value in keys[new].items() if key not in {"default", "description"}}
            own = own if "anyOf" in own else _or_null(own)  # Helm leaves its null there, as it has no default
            keys[old] = {"description": f"Deprecated: it is `{new}` now."} | own


def _sharpen(properties: dict[str, Any]) -> None:
    """Add what `canopy.config.values` checks in Python."""
    summarization = properties["summarization"]["anyOf"][0]["properties"]
    for summaries in (properties["summarize"]["properties"], summarization):
        summaries["prompt"]["anyOf"][0]["pattern"] = _SAYS_SOMETHING
    block = properties["features"]["additionalProperties"]["properties"]
    block["prompt"]["pattern"] = _SAYS_SOMETHING
    block["title"]["anyOf"][0]["pattern"] = TITLE_PATTERN
    feedback = properties["feedback"]["properties"]
    feedback["reasons"]["uniqueItems"] = feedback["names"]["uniqueItems"] = True
    feedback["names"]["items"]["not"] = {"enum": sorted(OWN_ASSESSMENTS)}
    properties["judges"]["items"]["properties"]["instructions"]["pattern"] = _SAYS_SOMETHING
    properties["judges"]["items"]["properties"]["name"]["not"] = {"enum": sorted({SATISFACTION, *OWN_ASSESSMENTS})}
    feedback["labels"]["items"]["properties"]["name"]["not"] = {
        "anyOf": [{"enum": sorted(RESERVED_LABELS)}, {"pattern": "^[0-9]+$"}]
    }
    properties["metadata"]["additionalProperties"] = False
    proxy = properties["proxy"]["properties"]
    proxy["false"] = {**proxy["no"], "description": "`no`, which YAML reads so where it stands without quotes."}
    auth = properties["auth"]["properties"]
    auth["trusted_proxies"]["items"]["pattern"] = _NETWORK
    for name in ("user_header", "email_header", "groups_header", "secret_header"):
        auth[name]["not"] = {"pattern": RESERVED_HEADERS}


def _take_null(schema: dict[str, Any], *, filled: bool = True) -> None:
    """Let null stand for an optional key.

    Helm takes keys away that are null and have a default, and the chart puts them back (`canopy.defaults`). What is in
    a list or in an optional section has no default in the chart, so that Helm leaves its null there.
    """
    for name, part in schema.get("properties", {}).items():
        inner = part.get("items")
        if isinstance(inner, dict):
            _take_null(inner, filled=False)
        named = part.get("additionalProperties")
        if isinstance(named, dict) and "properties" in named:
            _take_null(named, filled=False)
            part["additionalProperties"] = _or_null(named)
        for option in part.get("anyOf", []):
            _take_null(option, filled=False)
        _take_null(part, filled=filled)
        if not filled and name not in schema.get("required", []):
            schema["properties"][name] = _or_null(part)


def _or_null(part: dict[str, Any]) -> dict[str, Any]:
    described = {"description": part["description"]} if "description" in part else {}
    return described | {
        "anyOf": [{key: value for key, value in part.items() if key not in described}, {"type": "null"}]
    }


def _refuse_nul(schema: Any) -> None:
    """Refuse the one character that no store can hold, in every text that may hold any other."""
    if isinstance(schema, dict):
        if schema.get("type") == "string" and not schema.keys() & {"pattern", "enum", "const"}:
            schema["pattern"] = r"^[^\x00]*$"
        schema = list(schema.values())
    for part in schema if isinstance(schema, list) else []:
        _refuse_nul(part)


def _describe(schema: dict[str, Any], path: list[str], text: str) -> None:
    """Put a description at a path, unless the model brings one or the path leads into what has no schema."""
    for name in path:
        if name not in schema.get("properties", {}):
            return
        schema = schema["properties"][name]
    schema.setdefault("description", text)
