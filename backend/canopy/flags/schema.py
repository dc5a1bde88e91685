"""The chart's values.schema.json, made from the models that the server itself checks its values with.

Draft 7, which Helm 3 and Helm 4 both read. What a model's own validators know and JSON Schema could say is added here
by hand; what it can't say (a label named like a rating) is left to the server.
"""

from collections.abc import Mapping
from typing import Any

from canopy.flags.access import RESERVED_HEADERS
from canopy.flags.chart import ChartValues
from canopy.flags.chart.settings import ChartSettings
from canopy.flags.values import OWN_ASSESSMENTS, SATISFACTION, TAKEN_RATINGS

# An address, or a network whose prefix is no longer than an address.
_OCTET = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_IPV4 = rf"{_OCTET}(\.{_OCTET}){{3}}(/(3[0-2]|[12]?[0-9]))?"
_IPV6 = "[0-9a-fA-F:]*:[0-9a-fA-F:.]*(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?"
_NETWORK = f"^({_IPV4}|{_IPV6})$"


def chart_schema(descriptions: Mapping[str, str]) -> dict[str, Any]:
    """The schema. `descriptions` says what a key means by its path (`image.tag`); the server's keys bring their own."""
    model = ChartValues.model_json_schema()
    schema: dict[str, Any] = _plain(model, model["$defs"])
    del schema["$defs"], schema["description"]
    properties = schema["properties"]
    properties["settings"] = _settings()
    properties["global"] = {"type": "object", "description": "Helm's, for a chart that contains this one; ignored."}
    _sharpen(properties)
    _require_sections(schema)
    for path, text in descriptions.items():
        _describe(schema, path.split("."), text)
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the chart canopy", **schema}


def _plain(part: Any, definitions: Mapping[str, Any]) -> Any:
    """With every definition where it is used, and without the titles, which only repeat the names."""
    if isinstance(part, list):
        return [_plain(child, definitions) for child in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        definition = dict(definitions[part["$ref"].rpartition("/")[2]])
        definition.pop("description", None)  # a docstring, for whoever reads the models
        return _plain(definition, definitions)
    return {name: _plain(child, definitions) for name, child in part.items() if not _is_title(name, child)}


def _is_title(name: str, child: Any) -> bool:
    return name == "title" and isinstance(child, str)


def _settings() -> dict[str, Any]:
    # The chart has defaults of its own.
    settings = {
        name: {key: value for key, value in field.items() if key not in {"default", "title"}}
        for name, field in ChartSettings.model_json_schema()["properties"].items()
    }
    return {"type": "object", "additionalProperties": False, "properties": settings}


def _sharpen(properties: dict[str, Any]) -> None:
    """Add what `canopy.flags.values` checks in Python."""
    url = {"type": "string", "pattern": r"^https?://[^/?#@\s]+(/[^?#\s]*)?$"}
    properties["LLAMA_STACK_URL"]["anyOf"] = properties["MODEL_URL"]["anyOf"] = [url, {"type": "null"}]
    summarization = properties["summarization"]["anyOf"][0]["properties"]
    summarization["endpoint"]["anyOf"] = [url, {"type": "null"}]
    for summaries in (properties["summarize"]["properties"], summarization):
        summaries["prompt"]["pattern"] = r"\S"
    properties["mlflow"]["properties"]["url"]["anyOf"] = [url, {"type": "null"}]
    feedback = properties["feedback"]["properties"]
    feedback["reasons"]["uniqueItems"] = feedback["names"]["uniqueItems"] = True
    feedback["names"]["items"]["not"] = {"enum": sorted(OWN_ASSESSMENTS)}
    properties["judges"]["items"]["properties"]["name"]["not"] = {"enum": sorted({SATISFACTION, *OWN_ASSESSMENTS})}
    feedback["labels"]["items"]["properties"]["name"]["not"] = {
        "anyOf": [{"enum": sorted(TAKEN_RATINGS)}, {"pattern": "^[0-9]+$"}]
    }
    properties["metadata"]["additionalProperties"] = False
    proxy = properties["proxy"]["properties"]
    proxy["false"] = {**proxy["no"], "description": "`no`, which YAML reads so where it stands without quotes."}
    auth = properties["auth"]["properties"]
    auth["trusted_proxies"]["items"]["pattern"] = _NETWORK
    for name in ("user_header", "email_header", "groups_header", "secret_header"):
        auth[name]["not"] = {"pattern": RESERVED_HEADERS}


def _require_sections(schema: dict[str, Any]) -> None:
    """Refuse a section that is null, as Helm takes its defaults away then: no `networkPolicy` would mean no policy."""
    properties = schema.get("properties", {})
    sections = [name for name, part in properties.items() if "properties" in part or name == "enabled"]
    if sections:
        schema["required"] = sections
    for name in sections:
        _require_sections(properties[name])


def _describe(schema: dict[str, Any], path: list[str], text: str) -> None:
    """Put a description at a path, unless the model brings one or the path leads into what has no schema."""
    for name in path:
        if name not in schema.get("properties", {}):
            return
        schema = schema["properties"][name]
    schema.setdefault("description", text)
