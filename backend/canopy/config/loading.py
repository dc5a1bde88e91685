"""Parses and validates the bytes of a values file into a `Config`."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import ValidationError

from canopy.base.errors import ConfigError, FeatureDisabled, NotFound
from canopy.config.contradictions import SERVER_CONTRADICTIONS, refuse_contradictions
from canopy.config.error_sentences import error_describer
from canopy.config.features import BUILT_IN, BUILT_IN_ALIAS, Feature, canonical_name, features_of
from canopy.config.flags import FeatureFlag, decide_flags
from canopy.config.former_names import FORMER_VALUES, Renamed, with_present_names
from canopy.config.registered_prompts import FeatureVariant, RegisteredPrompt
from canopy.config.values import AbTestingValues, Values
from canopy.text import yaml_loader
from canopy.text.yaml_errors import findings_of, problem_of

_DEFAULTS = {"ab_testing": AbTestingValues().model_dump()}
_LARGEST = 256_000  # bytes; a ConfigMap may hold four times as much, no set of values needs it


@dataclass(frozen=True)
class Config:
    """Values with what follows from them. `revision` is the first 12 hex digits of the SHA-256 of the file's bytes.

    `git_revision` is the commit that they were deployed from, in hex digits; None where nobody says it.
    """

    values: Values
    revision: str
    registered: Mapping[FeatureVariant, RegisteredPrompt] = field(default_factory=dict)  # texts from the registry
    section: str = BUILT_IN  # the built-in feature's key in the file
    deprecated: tuple[Renamed, ...] = ()  # former names in the file, each with the present one
    git_revision: str | None = None

    @cached_property
    def flags(self) -> dict[str, FeatureFlag]:
        """Return the flags that these values decide, by name."""
        return decide_flags(self.values)

    def require_flag(self, flag: str, title: str) -> Self:
        """Return this config. Raises FeatureDisabled, whose sentence has the `title`, if the flag is off."""
        if not self.flags[flag].on:
            raise FeatureDisabled(f"{title} feature is not enabled")
        return self

    @cached_property
    def features(self) -> dict[str, Feature]:
        """Return both modes of every feature, by the name that records have."""
        return features_of(self.values, self.section)

    def section_of(self, feature: str) -> str:
        """Return the path of a feature's block in the values file; of a removed feature, the path that it had."""
        known = self.features.get(canonical_name(feature))
        return known.section if known else f"features.{feature}"

    def require_feature(self, name: str) -> Self:
        """Return this config. Raises NotFound if it has no such feature, and FeatureDisabled if the feature is off."""
        feature = self.features.get(name)
        if feature is None:
            raise NotFound("There is nothing at this address.")
        return self.require_flag(feature.flag, feature.title)


def load_config(content: bytes) -> Config:
    """Load a values file's content. Raises ConfigError with a sentence for each of the first errors."""
    return config_of(parse_values(content), hashlib.sha256(content).hexdigest()[:12])


def config_of(parsed: Mapping[str, Any], revision: str) -> Config:
    """Load the values of a document that is parsed already. Raises ConfigError as `load_config` does."""
    document, deprecated = with_present_names(parsed, FORMER_VALUES, _DEFAULTS)
    values = validate_values(Values, document, deprecated)
    refuse_contradictions(values, SERVER_CONTRADICTIONS)
    section = BUILT_IN_ALIAS if document.get(BUILT_IN_ALIAS) else BUILT_IN
    return Config(values, revision, section=section, deprecated=deprecated)


def read_values_file(path: Path) -> bytes:
    """Read a values file, at most one byte more than it may have. Raises ConfigError if it can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST + 1)  # one more shows `parse_values` that it is too large
    except OSError as error:
        raise ConfigError(f"{path}: the values file can't be read ({error.strerror}).") from error


def validate_values[V: Values](model: type[V], document: Mapping[str, Any], renamed: Iterable[Renamed] = ()) -> V:
    """Validate a document with a model. Raises ConfigError, which names `renamed` keys as the document has them."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise ConfigError(findings_of(error, error_describer(model, renamed))) from error


def parse_values(content: bytes) -> dict[str, Any]:
    """Parse a values file's content to a mapping; an empty file gives an empty one. Raises ConfigError."""
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
