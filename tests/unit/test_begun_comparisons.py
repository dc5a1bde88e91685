"""Which values the pages propose to begin a comparison with."""

import pytest
import yaml

from canopy.config.loading import load_config
from canopy.ui.experiments import section


@pytest.mark.parametrize(
    ("own", "proposed"),
    [
        ('Translate into German: "du"', 'Translate into German: "du" <change this>'),
        ("Very long. " * 50, "<the prompt, with what you want to try>"),
    ],
)
def test_what_another_feature_is_to_try_is_not_a_summary(own: str, proposed: str) -> None:
    values = load_config(yaml.safe_dump({"features": {"translate": {"prompt": own}}}).encode())
    begin = section(values, "translate", None).begin
    assert begin
    assert yaml.safe_load(begin.snippet)["features"]["translate"]["prompt_b"] == proposed
