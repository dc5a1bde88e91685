"""The documentation names everything there is, and nothing that isn't."""

import dataclasses
import inspect
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.routing import Route

from canopy.api import build_api
from canopy.api.access import RULES
from canopy.app import create_app
from canopy.base.errors import CanopyError, ConfigError
from canopy.base.settings import Settings
from canopy.cli import main
from canopy.config.values import Values
from canopy.telemetry import Logs, Metrics, events, logs
from tests.support.docs import PAGES, ROOT, code, table

SETTINGS = {f"CANOPY_{name.upper()}": field for name, field in Settings.model_fields.items()}


def test_each_setting_is_documented_with_its_default() -> None:
    documented = {code(row["setting"])[0]: row["default"] for row in table("operations.md", "setting")}
    assert documented.keys() == SETTINGS.keys()
    for name, default in documented.items():
        if (value := SETTINGS[name].default) is not None:
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            assert default == f"`{plain}`", name


def test_no_page_names_a_setting_that_does_not_exist() -> None:
    named = {name for page in PAGES for name in re.findall(r"\bCANOPY_[A-Z_]+\b", page.read_text())}
    assert named - SETTINGS.keys() == set()


def test_each_route_is_documented(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("LLAMA_STACK_URL: http://127.0.0.1:9\n")
    settings = Settings(config_path=values, store_url=SecretStr(f"sqlite:///{tmp_path}/canopy.db"))
    app = build_api(create_app(settings, logs=Logs(stream=io.BytesIO())).context)
    there = {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods}
    pages = [route.path for route in app.routes if isinstance(route, Route) and not route.include_in_schema]
    # What the pages load is no interface of its own.
    there |= {f"GET {path}" for path in pages if not path.startswith(("/ui/", "/docs/"))}
    documented = {route for row in table("operations.md", "route") for route in code(row["route"])}
    assert documented == there


def test_each_parameter_of_a_query_is_documented(tmp_path: Path) -> None:
    settings = Settings(store_url=SecretStr(f"sqlite:///{tmp_path}/canopy.db"))
    paths = build_api(create_app(settings, logs=Logs(stream=io.BytesIO())).context).openapi()["paths"]
    page = (ROOT / "docs/operations.md").read_text()
    taken = {
        f"{path} {parameter['name']}"
        for path, methods in paths.items()
        for operation in methods.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query" and not re.search(rf"[`?&]{parameter['name']}[`=?&/]", page)
    }
    assert taken == set()


def test_who_may_use_each_route_is_documented() -> None:
    """tests/http/test_access.py asks the server whether it is so."""
    rights = {
        None: ("yes", "yes", "yes", "yes"),
        "user": ("no", "no", "yes", "yes"),
        "controller": ("no", "yes", "no", "yes"),
        "reviewer": ("no", "no", "no", "yes"),
    }
    documented = {}
    for row in table("operations.md", "who may"):
        cells = (row["nobody known"], row["controller"], row["user"].replace("their own", "yes"), row["reviewer"])
        documented[code(row["who may"])[0]] = (cells, "".join(code(row["counted by"])) or None)
    assert documented == {route: (rights[rule.role], rule.limit) for route, rule in RULES.items()}


def test_each_command_is_documented() -> None:
    documented = {code(row["command"])[0].split()[1] for row in table("operations.md", "command")}
    assert documented == main.commands.keys()


def test_each_error_code_is_documented_with_its_status() -> None:
    documented = {name: row["status"] for row in table("operations.md", "code") for name in code(row["code"])}
    # A ConfigError ends the process before it listens, so no client sees its code.
    kinds: list[type[CanopyError]] = [CanopyError, *subclasses(CanopyError)]
    errors = {kind.code: kind.status for kind in kinds if not issubclass(kind, ConfigError)}
    assert errors.keys() - documented.keys() == set()
    assert [name for name, status in errors.items() if str(status) not in documented[name]] == []


def test_each_metric_is_documented() -> None:
    suffixes = {"counter": ("_total",), "summary": ("_count", "_sum")}
    there = {
        family.name + suffix
        for family in Metrics().registry.collect()
        for suffix in suffixes.get(family.type, ("",))
        if not family.name.startswith("process_")
    }
    documented = {name for row in table("operations.md", "metric") for name in code(row["metric"])}
    assert documented == there | {"process_*"}


def test_each_event_is_documented_with_its_level_and_fields() -> None:
    rows = {code(row["event"])[0]: row for row in table("logging.md", "event")}
    records = {event.name: event for event in subclasses(events.Event)}
    # Lines that no record of Canopy's stands for: a library's, and the one before a crash.
    others = set(re.findall(r'self\._line\([^,]+, "(\w+)"', inspect.getsource(logs)))
    assert rows.keys() == records.keys() | others
    for name, record in records.items():
        assert rows[name]["level"] == record.level
        if "payload" not in vars(record):
            assert code(rows[name]["fields"]) == [field.name for field in dataclasses.fields(record)]


def test_each_event_is_named_by_a_test() -> None:
    """By its name in the log, or by its class."""
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    classes = {event.name: event.__name__ for event in subclasses(events.Event)}
    untested = [
        name
        for (name,) in (code(row["event"]) for row in table("logging.md", "event"))
        if not re.search(rf"\b({name}|{classes.get(name, name)})\b", tests)
    ]
    assert untested == []


def test_each_key_of_the_values_is_documented() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    assert [key for key in keys(Values.model_json_schema()) if not re.search(rf"\b{key}\b", text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_that_a_page_names_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|\$ |^)make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named - targets == set()


def subclasses[T](root: type[T]) -> Iterable[type[T]]:
    for child in root.__subclasses__():
        yield child
        yield from subclasses(child)


def keys(schema: dict[str, Any]) -> list[str]:
    """Every property's name, in every definition."""
    definitions = [schema, *schema.get("$defs", {}).values()]
    return [name for definition in definitions for name in definition.get("properties", {})]


def test_each_promise_of_security_is_held_by_a_test_that_exists() -> None:
    promises = table("security.md", "promise")
    assert promises
    for row in promises:
        assert code(row["held by"]), row["promise"]
        for place in code(row["held by"]):
            path, _, name = place.partition("::")
            assert f"def {name}(" in (ROOT / path).read_text(), place
