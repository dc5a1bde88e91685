"""The LogQL evaluator itself, on lines written by hand."""

import pytest

from tests.support.logql import LogQLError, parse, parse_count

STREAM = {"app": "canopy", "level": "from the stream"}
GOOD = '{"event":"feedback_submitted","rating":"thumbs_up","input_length":12,"level":"info"}'
BAD = '{"event":"feedback_submitted","rating":"thumbs_down","http":{"status-code":200},"tags":["x"],"none":null}'
OTHER = '{"event":"http_request","path":"/feedback"}'
PLAIN = "feedback_submitted, but no JSON"
LINES = [GOOD, BAD, OTHER, PLAIN]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("{app=`canopy`}", LINES),
        ("{app=`other`}", []),
        ("{app!=`other`, missing=``}", LINES),
        ("{app=~`can`}", []),
        ("{app=~`can.*`, app!~`x.*`}", LINES),
        ("{app=`canopy`} |= `feedback_submitted`", [GOOD, BAD, PLAIN]),
        ("{app=`canopy`} |= `feedback` != `submitted`", [OTHER]),
        ('{app=`canopy`} |~ `thumbs_(up|down)` !~ "wn"', [GOOD]),
        ('{app=`canopy`} | json | rating="thumbs_down"', [BAD]),
        ('{app=`canopy`} | json | rating=~"thumbs.*" | rating!="thumbs_down"', [GOOD]),
        ('{app=`canopy`} | json | rating=~"thumbs"', []),
        ('{app=`canopy`} | json | rating=""', [OTHER, PLAIN]),
        ('{app=`canopy`} | json | __error__="JSONParserErr"', [PLAIN]),
    ],
)
def test_a_query_finds_the_lines_that_loki_finds(query: str, found: list[str]) -> None:
    assert [entry.line for entry in parse(query).select(LINES, STREAM)] == found


def test_json_fields_become_labels_beside_those_of_the_stream() -> None:
    (entry,) = parse("{app=`canopy`} | json").select([GOOD], STREAM)
    assert entry.labels == {
        **STREAM,
        "event": "feedback_submitted",
        "rating": "thumbs_up",
        "input_length": "12",
        "level_extracted": "info",
    }
    (entry,) = parse("{app=`canopy`} | json").select([BAD], STREAM)
    assert entry.labels == {
        **STREAM,
        "event": "feedback_submitted",
        "rating": "thumbs_down",
        "http_status_code": "200",
    }


@pytest.mark.parametrize(
    "query",
    [
        "{app=`canopy`} |= ",
        "{app=`canopy` | json",
        "{app=`canopy`} | jsonn | rating=`x`",
        "count_over_time({app=`canopy`}[5m])",
        "{app=`canopy`} | json | line_format `{{.rating}}`",
        "{app=`canopy`} | json | input_length > 5",
        "{app=`canopy`} | json | rating=`a` or rating=`b`",
        "{app=`canopy`} | logfmt",
    ],
)
def test_what_loki_refuses_or_this_does_not_evaluate_is_an_error(query: str) -> None:
    with pytest.raises(LogQLError):
        parse(query)


@pytest.mark.parametrize("threshold", ["", " > 0"])
def test_a_count_is_read_as_its_log_query_and_its_labels(threshold: str) -> None:
    count = parse_count(f"sum by (rating, app) (count_over_time({{app=`canopy`}} | json | rating!=`` [5m])){threshold}")
    assert count.by == ("rating", "app")
    assert [entry.line for entry in count.query.select(LINES, STREAM)] == [GOOD, BAD]


@pytest.mark.parametrize(
    "query",
    [
        "sum by (rating) (count_over_time({app=`canopy`} | json [5m]",
        "sum by (rating) (count_over_time({app=`canopy`} | jsonn [5m])) > 0",
        "sum by (rating) (count_over_time({app=`canopy`} | json [5 m])) > 0",
        "max by (rating) (count_over_time({app=`canopy`} | json [5m])) > 0",
        "{app=`canopy`} | json",
    ],
)
def test_a_count_that_is_wrong_or_not_evaluated_is_an_error(query: str) -> None:
    with pytest.raises(LogQLError):
        parse_count(query)
