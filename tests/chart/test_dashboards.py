"""The dashboards in the chart are those that the code makes, and Grafana finds them."""

import json
from pathlib import Path

import pytest

from tests.chart.conftest import MINIMAL, Objects, is_dashboard, kinds
from tests.chart.shipped import dashboards
from tests.support.helm import Helm
from tests.support.kubernetes import findings
from tools.dashboards.__main__ import FOLDER, files

ON = MINIMAL.with_name("everything-on.yaml")


def test_the_dashboards_are_up_to_date() -> None:
    there = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert there == files(), "`make dashboards` makes them anew"


def test_the_chart_ships_each_dashboard_as_the_code_made_it(helm: Helm) -> None:
    shipped = {board["uid"]: board for board in dashboards(helm)}
    assert shipped == {board["uid"]: board for board in map(json.loads, files().values())}
    assert {board["title"] for board in shipped.values()} == {
        "Canopy: Backend",
        "Canopy: Feedback and A/B",
        "Canopy Distributed Traces",
    }


def test_the_sidecar_and_the_operator_find_them(helm: Helm) -> None:
    objects = helm.render("--values", ON)
    maps = {one["metadata"]["name"]: one for one in configs(objects)}
    assert len(maps) == len(files())
    assert {one["metadata"]["labels"]["grafana_dashboard"] for one in maps.values()} == {"canopy"}
    custom = [one for one in objects if one["kind"] == "GrafanaDashboard"]
    assert len(custom) == len(maps)
    for one in custom:
        reference = one["spec"]["configMapRef"]
        assert reference["key"] in maps[reference["name"]]["data"]
        assert one["spec"]["instanceSelector"] == {"matchLabels": {"dashboards": "grafana"}}


def test_without_the_operator_there_are_only_config_maps(helm: Helm) -> None:
    objects = helm.render("--values", MINIMAL, "--set", "monitoring.dashboards.enabled=true")
    assert len(configs(objects)) == len(files())
    assert "GrafanaDashboard" not in kinds(objects)
    assert {one["metadata"]["labels"]["grafana_dashboard"] for one in configs(objects)} == {"1"}


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.stem)
def test_every_panel_has_a_title_and_takes_its_data_source_from_a_variable(path: Path) -> None:
    board = json.loads(path.read_text())
    names = [variable["name"] for variable in board["templating"]["list"]]
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert panels
    for panel in panels:
        assert panel["title"]
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            assert source["uid"] == f"${source['type']}"
            assert source["type"] in names


def test_feedback_is_shown_by_feature() -> None:
    board = json.loads(FOLDER.joinpath("feedback.json").read_text())
    (variable,) = (it for it in board["templating"]["list"] if it["name"] == "feature")
    assert (variable["multi"], variable["includeAll"], variable["current"]["value"]) == (True, True, ["$__all"])
    exprs = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    of_requests = [it for it in exprs if "http_server_request_count" in it]
    assert [it for it in exprs if 'feature=~"$feature"' not in it] == of_requests
    assert any("sum by (feature)" in it for it in exprs)


def configs(objects: Objects) -> Objects:
    return tuple(one for one in objects if one["kind"] == "ConfigMap" and is_dashboard(one))


@pytest.mark.parametrize("allowed", [True, False])
def test_grafanas_of_other_namespaces_get_them_where_the_values_say_so(helm: Helm, allowed: bool) -> None:
    setting = ("--set", f"monitoring.dashboards.allowCrossNamespaceImport={str(allowed).lower()}")
    custom = [one for one in helm.render("--values", ON, *setting) if one["kind"] == "GrafanaDashboard"]
    assert custom
    assert [one["spec"].get("allowCrossNamespaceImport", False) for one in custom] == [allowed] * len(custom)
    assert [found for one in custom for found in findings(one)] == []
