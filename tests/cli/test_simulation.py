"""`canopy ab simulate`, as a person types it."""

import json

import pytest
from click.testing import CliRunner, Result

from canopy.cli import main
from canopy.cli.simulation import simulate
from canopy.cli.terminal import say
from canopy.cli.text_charts import Axis
from canopy.config.values import AbTestingValues

RULE = ("alpha", "prior_strength", "equivalence_margin", "max_decisive_votes")
QUICK = ("--runs", "60", "--max-decisive-votes", "400")


def simulated(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["ab", "simulate", *arguments])


def test_it_explains_itself() -> None:
    result = simulated("--help")
    assert result.exit_code == 0
    assert "canopy ab simulate --win-rate 0.53 --tie-rate 0.4" in result.stdout
    assert "simulate" in CliRunner().invoke(main, ["ab", "--help"]).stdout


def test_it_shows_a_run_its_end_and_the_mistakes_of_both_tests() -> None:
    result = simulated("--win-rate", "0.7", *QUICK)
    assert result.exit_code == 0
    assert "One typical experiment: people who take a side prefer Prompt B in 70 %" in result.stdout
    assert "The candidate, Prompt B, is better: " in result.stdout
    assert "Votes until the end of each of 60 experiments" in result.stdout
    assert "z-test after each vote" in result.stdout


@pytest.mark.parametrize("p", ["0", "0.5", "0.53", "1"])
def test_it_fits_a_terminal_of_80_columns_without_colours_where_there_is_none(p: str) -> None:
    result = simulated("--win-rate", p, *QUICK)
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    assert "\x1b" not in result.stdout
    assert result.stderr == ""


def test_one_vote_is_enough_for_a_picture() -> None:
    result = simulated("--max-decisive-votes", "1", "--runs", "1")
    assert result.exit_code == 0
    assert "inconclusive" in result.stdout


def test_json_has_the_numbers() -> None:
    got = json.loads(simulated("--win-rate", "0.7", "--json", *QUICK).stdout)
    assert (got["p"], got["ties"], got["n_max"], got["runs"]) == (0.7, 0.2, 400, 60)
    assert got["decisions"]["promote_b"] > 0.8
    assert got["votes"]["p10"] <= got["votes"]["median"] <= got["votes"]["p90"]
    last = got["fooled"][-1]
    assert last["rule"] < last["z_test"]


def test_the_same_seed_prints_the_same() -> None:
    assert simulated(*QUICK).stdout == simulated(*QUICK).stdout
    assert simulated(*QUICK).stdout != simulated("--seed", "9", *QUICK).stdout


def test_the_defaults_are_the_values_files() -> None:
    defaults = {option.name: option.default for option in simulate.params}
    values = AbTestingValues()
    assert {name: defaults[name] for name in RULE} == {name: getattr(values, name) for name in RULE}


@pytest.mark.parametrize(
    ("old", "new", "value", "another"),
    [
        ("--p", "--win-rate", "0.7", "0.8"),
        ("--ties", "--tie-rate", "0.1", "0.3"),
        ("--prior", "--prior-strength", "50", "60"),
        ("--delta", "--equivalence-margin", "0.1", "0.2"),
        ("--n-max", "--max-decisive-votes", "300", "9"),
    ],
)
def test_a_former_name_of_an_option_works_and_says_so(old: str, new: str, value: str, another: str) -> None:
    runs = ("--runs", "20", "--json")
    former, own = simulated(old, value, *runs), simulated(new, value, *runs)
    assert (former.exit_code, former.stdout) == (0, own.stdout)
    assert former.stdout != simulated(*runs).stdout
    assert (former.stderr, own.stderr) == (f"{old} is deprecated: it is {new} now.\n", "")
    both = simulated(old, value, new, another)
    assert both.exit_code == 2
    assert f"{old} and {new} are two names of one option. Keep one of them." in both.stderr
    assert simulated("--help").stdout.count(f" {old} ") == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--win-rate", "60"), "60.0 is not in the range 0<=x<=1"),
        (("--win-rate", "nan"), "Give a number"),
        (("--tie-rate", "1"), "is not in the range"),
        (("--equivalence-margin", "0.5"), "is not in the range"),
        (("--runs", "0"), "is not in the range"),
        (("--max-decisive-votes", "many"), "'many' is not a valid integer"),
    ],
)
def test_a_wrong_value_is_said_in_a_sentence(wrong: tuple[str, str], said: str) -> None:
    result = simulated(*wrong)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_row_of_the_picture_shows_the_interval_the_rate_and_one_half(capsys: pytest.CaptureFixture[str]) -> None:
    axis = Axis(truth=0.75)
    scale, marks = axis.header("votes")
    say(axis.row("40", (0.2, 0.6), 0.4))
    row = capsys.readouterr().out.removesuffix("\n")
    middle = scale.index("50 %") + 1
    assert (marks[middle], row[middle]) == ("┼", "┼")
    assert marks.index("▼") == row.index("┊")
    assert row.index("├") < row.index("●") < middle < row.index("┤") < row.index("┊")
    assert row.startswith("    40  ")
    assert row.endswith(" 20-60 %")
