"""What every section of the values shares."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Exact types and no unknown keys, so that a misspelled one isn't lost in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
