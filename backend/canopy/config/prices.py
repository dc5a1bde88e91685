"""The section `prices`: what models' tokens cost, so that experiments can say what their variants cost in money."""

from pydantic import Field

from canopy.config.section import Section

MOST_PRICES = 100
_HIGHEST = 1_000_000  # for a million tokens


class PriceValues(Section):
    """Prices of a model's tokens for a million of them. All models' are in one currency, which nobody has to name."""

    input: float = Field(ge=0, le=_HIGHEST, allow_inf_nan=False, description="The price of a million tokens read.")
    output: float = Field(ge=0, le=_HIGHEST, allow_inf_nan=False, description="The price of a million tokens written.")
