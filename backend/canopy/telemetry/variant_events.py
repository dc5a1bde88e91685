"""Events about the prompt and the model in force."""

from dataclasses import dataclass
from typing import ClassVar

from canopy.telemetry.events import Event, Level


@dataclass(frozen=True, slots=True)
class VariantChanged(Event):
    """A feature's answers come from another prompt or model. Emitted once for each change, whatever process sees it."""

    name: ClassVar[str] = "variant_changed"
    feature: str
    change: str
    prompt_id: str
    model: str
    former_prompt_id: str | None
    former_model: str | None
    people_before: int  # whom those after it are compared with; 0: nobody is, so that it isn't watched
    config_revision: str
    git_revision: str | None


@dataclass(frozen=True, slots=True)
class SatisfactionFell(Event):
    """People are less satisfied than before the change of what is in force. Emitted once for each change."""

    name: ClassVar[str] = "satisfaction_fell"
    level: ClassVar[Level] = "warning"
    feature: str
    change: str
    sentence: str
    good_before: int
    bad_before: int
    good_after: int
    bad_after: int
    prompt_id: str
    former_prompt_id: str | None
    config_revision: str
    git_revision: str | None
