"""From the bytes of a values file to a checked `Config`."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import ValidationError

from canopy.base.errors import ConfigError, FeatureDisabled, NotFound
from canopy.config.contradictions import OF_THE_SERVER, refuse
from canopy.config.features import BUILT_IN, Feature, features_of
from canopy.config.flags import FeatureFlag, decide
from canopy.config.former_names import FORMER_VALUES, Renamed, under_own_names
from canopy.config.registered_prompts import FeatureVariant, RegisteredPrompt
from canopy.config.spelling import describing
from canopy.config.values import AbTestingValues, Values
from canopy.text import yaml_loader
from canopy.text.yaml_errors import findings_of, problem_of

_DEFAULTS = {"ab_testing": AbTestingValues().model_dump()}
_LARGEST = 256_000  # bytes; a ConfigMap may hold four times as much, no set of values needs it


@dataclass(frozen=True)
class Config:
    """Holds values with their revision, which is the first 12 hex digits of the SHA-256 of the file's bytes."""

    values: Values
    revision: str
    registered: Mapping[FeatureVariant, RegisteredPrompt] = field(default_factory=dict)  # texts from the registry
    section: str = BUILT_IN  # the name under which the file has the built-in feature
    deprecated: tuple[Renamed, ...] = ()  # names in the file that are others now

    @cached_property
    def flags(self) -> dict[str, FeatureFlag]:
        """Return the flags that these values decide, by name."""
        return decide(self.values)

    def require_flag(self, flag: str, title: str) -> Self:
        """Return this config. Raises FeatureDisabled, with the `title` of what is off, where the flag is off."""
        if not self.flags[flag].on:
            raise FeatureDisabled(f"{title} feature is not enabled")
        return self

    @cached_property
    def features(self) -> dict[str, Feature]:
        """The features that these values make, in each mode: by the names that records have."""
        return features_of(self.values, self.section)

    def section_of(self, feature: str) -> str:
        """Return where the values file has this feature's block; where it had it, of a feature that is gone."""
        known = self.features.get(feature)
        return known.section if known else f"features.{feature}"

    def require_feature(self, name: str) -> Self:
        """Return this config. Raises NotFound where it has no feature of this name, FeatureDisabled where it is off."""
        feature = self.features.get(name)
        if feature is None:
            raise NotFound("There is nothing at this address.")
        return self.require_flag(feature.flag, feature.title)


def load_config(content: bytes) -> Config:
    """Check the bytes of a values file. Raises ConfigError with a sentence for each of the first findings."""
    document, deprecated = under_own_names(parsed(content), FORMER_VALUES, _DEFAULTS)
    values = validated(Values, document, deprecated)
    refuse(values, OF_THE_SERVER)
    section = "summarization" if document.get("summarization") else BUILT_IN
    return Config(values, hashlib.sha256(content).hexdigest()[:12], section=section, deprecated=deprecated)


def content_of(path: Path) -> bytes:
    """Read a values file, up to a byte more than one may hold. Raises ConfigError when it can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST + 1)  # one more tells that it is too large
    except OSError as error:
        raise ConfigError(f"{path}: the values file can't be read ({error.strerror}).") from error


def validated[V: Values](model: type[V], document: Mapping[str, Any], renamed: Iterable[Renamed] = ()) -> V:
    """Return the document as values of this kind. Raises ConfigError, which has `renamed` keys as given."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise ConfigError(findings_of(error, describing(model, renamed))) from error


def parsed(content: bytes) -> dict[str, Any]:
    """Return the keys of a values file, which may have none. Raises ConfigError."""
    if len(content) > _LARGEST:
        raise ConfigError(f"The values are larger than {_LARGEST:,} bytes.")
    try:
        document, _ = yaml_loader.load(content, as_helm=True)
    except yaml.YAMLError as error:
        raise ConfigError(f"The values are not valid YAML{problem_of(error)}.") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError("The values must be a mapping of keys, such as `summarize:` and `feedback:`.")
    return document
