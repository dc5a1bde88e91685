"""Keys, settings and options under the names that they had."""

from contextlib import nullcontext

import pytest

from canopy.base.errors import ConfigError
from canopy.base.settings import FORMER_SETTINGS, Settings, deprecated_settings
from canopy.cli.common import read_settings
from canopy.config.chart.chart_values import ChartValues
from canopy.config.checking import chart_values
from canopy.config.checking import check as checked
from canopy.config.former_names import FORMER_VALUES
from canopy.config.loading import load_config
from canopy.config.values import AbTestingValues

MODEL = {"LLAMA_STACK_URL": "http://model"}


@pytest.mark.parametrize(("old", "new"), FORMER_SETTINGS.items())
def test_a_setting_counts_under_its_former_name(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable, own = f"CANOPY_{old.upper()}", f"CANOPY_{new.upper()}"
    monkeypatch.setenv(variable, "77")
    assert getattr(Settings(), new) == 77
    assert deprecated_settings() == [(variable, own)]
    for same in ("77", " 77", "077"):
        monkeypatch.setenv(own, same)
        assert getattr(Settings(), new) == 77
    monkeypatch.setenv(own, "78")
    with pytest.raises(ConfigError, match=f"^{variable} and {own} are two names of one setting. Keep one of them.$"):
        read_settings()
    monkeypatch.delenv(variable)
    assert getattr(Settings(), new) == 78
    assert deprecated_settings() == []


@pytest.mark.parametrize(
    ("current", "refused"), [("5.0", False), ("5e0", False), ("5.1", True), ("", True), ("x", True)]
)
def test_two_names_of_a_setting_are_compared_by_what_they_say(
    current: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANOPY_GRACE_PERIOD", "5")
    monkeypatch.setenv("CANOPY_GRACE_PERIOD_SECONDS", current)
    with pytest.raises(ConfigError, match="two names of one setting") if refused else nullcontext():
        assert read_settings().grace_period_seconds == 5


def test_a_command_tells_of_a_former_name_and_a_wrong_value_is_still_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CANOPY_COMPARISON_LIFETIME", "60")
    read_settings()
    said = "CANOPY_COMPARISON_LIFETIME is deprecated: it is CANOPY_BALLOT_WINDOW_SECONDS now.\n"
    assert capsys.readouterr().err == said
    monkeypatch.setenv("CANOPY_COMPARISON_LIFETIME", "-1")
    with pytest.raises(ConfigError, match="CANOPY_COMPARISON_LIFETIME: Input should be greater than 0"):
        read_settings()


def test_a_finding_names_the_variable_that_the_environment_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("CANOPY_JUDGE_TIMEOUT", "CANOPY_JUDGE_TIMEOUT_SECONDS"):
        with monkeypatch.context() as environment:
            environment.setenv(variable, "soon")
            with pytest.raises(ConfigError, match=f"^{variable}: Input should be a valid number"):
                read_settings()


def test_values_count_under_their_former_names() -> None:
    config = load_config(b"ab_testing: {prior: 20, delta: 0.1, n_max: null, max_decisive_votes: 50}")
    ab = config.values.ab_testing
    assert (ab.prior_strength, ab.equivalence_margin, ab.max_decisive_votes) == (20, 0.1, 50)
    assert config.deprecated == (
        ("ab_testing.prior", "ab_testing.prior_strength"),
        ("ab_testing.delta", "ab_testing.equivalence_margin"),
    )


def test_both_names_are_refused_where_they_differ_unless_one_is_what_helm_puts_there() -> None:
    default = AbTestingValues().prior_strength
    for same in (20, default):
        config = load_config(f"ab_testing: {{prior: 20, prior_strength: {same}}}".encode())
        assert config.values.ab_testing.prior_strength == 20
    sentence = "ab_testing.prior and ab_testing.prior_strength are two names of one value. Keep one of them."
    with pytest.raises(ConfigError, match=f"^{sentence}$"):
        load_config(b"ab_testing: {prior: 20, prior_strength: 30}")


def test_a_finding_names_the_key_that_the_file_has() -> None:
    for given, key in (("prior", "prior"), ("prior_strength", "prior_strength")):
        content = f"ab_testing: {{{given}: '20'}}"
        for check in (load_config, checked):
            with pytest.raises(ConfigError, match=f"^`ab_testing.{key}` should be a valid number"):
                check(content.encode())


@pytest.mark.parametrize("name", ["judge_timeout", "judge_timeout_seconds"])
def test_a_finding_on_a_setting_names_the_key_that_the_file_has(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^`settings`: `{name}` should be greater than 0.$"):
        checked(f"{{MODEL_URL: http://model, settings: {{{name}: -1}}}}".encode())


def test_the_charts_settings_count_under_their_former_names() -> None:
    settings = chart_values(MODEL | {"settings": {"grace_period": 300, "judge_timeout": 9}}).settings
    assert settings == ChartValues().settings | {"grace_period_seconds": 300, "judge_timeout_seconds": 9}
    found = checked(b"{MODEL_URL: http://model, settings: {grace_period: 300}, ab_testing: {n_max: 9}}")
    assert found.deprecated == (
        ("ab_testing.n_max", "ab_testing.max_decisive_votes"),
        ("settings.grace_period", "settings.grace_period_seconds"),
    )


def test_no_former_name_is_anybodys_own() -> None:
    assert not FORMER_SETTINGS.keys() & Settings.model_fields.keys()
    assert set(FORMER_SETTINGS.values()) <= Settings.model_fields.keys()
    (names,) = FORMER_VALUES.values()
    assert not names.keys() & AbTestingValues.model_fields.keys()
    assert set(names.values()) <= AbTestingValues.model_fields.keys()


def test_every_duration_among_the_settings_says_its_unit() -> None:
    durations = ("delay", "period", "timeout", "interval", "window", "lifetime")
    assert [name for name in Settings.model_fields if name.rpartition("_")[2] in durations] == []
