"""Keys of the values file that Canopy accepts and ignores: Argo CD's, and the workshop's other components'."""

from typing import Any

from pydantic import Field

from canopy.config.section import Section

_OTHERS = "Another component's of the workshop; Canopy ignores it and shows a flag that is off."
OTHER_COMPONENTS = ("information-search", "student-assistant", "socratic-tutor", "shields", "MLFLOW_TRACKING_URI")


class IgnoredValues(Section):
    """Accepts those keys with any content."""

    repo_url: str | None = Field(None, description="Argo CD's; Canopy ignores it.")
    chart_path: str | None = Field(None, description="Argo CD's; Canopy ignores it.")
    target_revision: str | None = Field(None, description="Argo CD's; Canopy ignores it.")
    information_search: Any = Field(None, alias="information-search", description=_OTHERS)
    student_assistant: Any = Field(None, alias="student-assistant", description=_OTHERS)
    socratic_tutor: Any = Field(None, alias="socratic-tutor", description=_OTHERS)
    shields: Any = Field(None, description=_OTHERS)
    MLFLOW_TRACKING_URI: Any = Field(None, description=_OTHERS)
