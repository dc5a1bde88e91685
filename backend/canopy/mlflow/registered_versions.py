"""Reads versions of prompts in MLflow's registry, where they are registered models with the text in a tag."""

import re

from pydantic import BaseModel, TypeAdapter, ValidationError

from canopy.config.feature_values import SystemPrompt
from canopy.config.registered_prompts import RegisteredPrompt
from canopy.mlflow.failures import MlflowError

_TEXT: TypeAdapter[str] = TypeAdapter(SystemPrompt)
_VARIABLE = re.compile(r"\{\{\s*[A-Za-z_][\w.]*\s*\}\}")


class RegistryError(Exception):
    """The registry gave no prompt that can be used; the message is a sentence without credentials."""

    def __init__(self, sentence: str, retry_after: float | None = None) -> None:
        """`retry_after` is in seconds, where the registry says when to come back."""
        super().__init__(sentence)
        self.retry_after = retry_after


class _Alias(BaseModel):
    alias: str
    version: int


class _Model(BaseModel):
    creation_timestamp: int = 0
    last_updated_timestamp: int = 0  # changes with each version that is made or deleted
    aliases: list[_Alias] = []


class FoundModel(BaseModel):
    """A prompt with its aliases, as MLflow answers it."""

    registered_model: _Model


class _Tag(BaseModel):
    key: str
    value: str = ""


class _Version(BaseModel):
    version: int
    tags: list[_Tag] = []


class FoundVersion(BaseModel):
    """A version of a prompt, as MLflow answers it."""

    model_version: _Version


def registered_prompt(name: str, given: _Version) -> RegisteredPrompt:
    """Return a version as a prompt. Raises RegistryError for a text that can't be a system prompt."""
    tags = {tag.key: tag.value for tag in given.tags}
    reference = f"`{name}/{given.version}`"
    if tags.get("mlflow.prompt.is_prompt") != "true" or "mlflow.prompt.text" not in tags:
        raise RegistryError(f"{reference} in the registry is a model and not a prompt.")
    if tags.get("_mlflow_prompt_type", "text") != "text":
        raise RegistryError(f"{reference} in the registry is a chat prompt; Canopy needs one text.")
    if variable := _VARIABLE.search(tags["mlflow.prompt.text"]):
        raise RegistryError(
            f"{reference} in the registry has the variable `{variable[0]}`, which nothing fills in: the text "
            "that is sent follows the prompt as a message of its own."
        )
    try:
        return RegisteredPrompt(name, given.version, _TEXT.validate_python(tags["mlflow.prompt.text"]))
    except ValidationError as error:
        raise RegistryError(f"{reference} in the registry can't be used: {error.errors()[0]['msg']}.") from error


def registry_error(error: MlflowError, *named: str) -> RegistryError:
    """Return what it means that MLflow didn't give what is named."""
    if error.failure == "missing":
        return RegistryError(f"MLflow's registry has no prompt {'/'.join(f'`{it}`' for it in named)}.")
    return RegistryError(str(error), error.retry_after)
