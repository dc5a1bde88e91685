"""Reads and moves the aliases of prompts in MLflow's registry, one call after the other, for a person who waits."""

from collections.abc import Callable, Mapping
from typing import Any

from canopy.base.errors import ConfigError
from canopy.config.registered_prompts import PromptSource, RegisteredPrompt
from canopy.mlflow.client import IgnoredAnswer, MlflowClient
from canopy.mlflow.failures import MlflowError
from canopy.mlflow.registered_versions import FoundModel, FoundVersion, RegistryError, registered_prompt, registry_error

_PATH = "/api/2.0/mlflow/"
_ALIAS = f"{_PATH}registered-models/alias"
_REFUSED = (401, 403)


class PromptAliases:
    """Asks one MLflow server. Whatever it doesn't do is a ConfigError, whose sentence says what to look at."""

    def __init__(self, url: str, headers: Mapping[str, str], setting: str) -> None:
        """`headers` go with each request; `setting` names, in errors, where `url` is from."""
        self._url, self._headers, self._setting = url, headers, setting

    def find(self, source: PromptSource) -> RegisteredPrompt | None:
        """Return the version that a reference leads to; None where the prompt has no such alias. Raises ConfigError."""
        version = source.version
        if version is None and not source.newest:
            model = self._ask(FoundModel, "GET", "registered-models/get", name=source.name).registered_model
            version = next((it.version for it in model.aliases if it.alias == source.alias), None)
            if version is None:
                return None
        which = {"alias": "latest"} if version is None else {"version": str(version)}
        call = "registered-models/alias" if version is None else "model-versions/get"
        found = self._ask(FoundVersion, "GET", call, name=source.name, **which).model_version
        try:
            return registered_prompt(source.name, found)
        except RegistryError as error:
            raise ConfigError(str(error)) from error

    def give(self, name: str, alias: str, version: int) -> None:
        """Let an alias lead to a version. Raises ConfigError where it doesn't, as far as that can be told."""

        def leads_there() -> bool:
            found = self.find(PromptSource(name, None, alias))
            return found is not None and found.version == version

        self._change("POST", {"name": name, "alias": alias, "version": str(version)}, leads_there)

    def take(self, name: str, alias: str) -> None:
        """Take an alias away. Raises ConfigError where it is still there, as far as that can be told."""
        self._change(
            "DELETE", {"name": name, "alias": alias}, lambda: self.find(PromptSource(name, None, alias)) is None
        )

    def _change(self, method: str, body: dict[str, str], is_done: Callable[[], bool]) -> None:
        try:
            with self._client() as client:
                client.ask(IgnoredAnswer, method, _ALIAS, json=body)
        except MlflowError as error:
            sentence = self._sentence(error, body["name"], body["alias"])
            try:
                done = is_done()  # the answer alone may have been lost
            except ConfigError:
                unknown = f"{sentence} Whether `{body['name']}@{body['alias']}` was changed can't be told now."
                raise ConfigError(unknown) from error
            if not done:
                raise ConfigError(sentence) from error

    def _ask(self, answer: Any, method: str, call: str, **params: str) -> Any:
        try:
            with self._client() as client:
                return client.ask(answer, method, f"{_PATH}{call}", params=params)
        except MlflowError as error:
            raise ConfigError(self._sentence(error, *params.values())) from error

    def _client(self) -> MlflowClient:
        return MlflowClient(self._url, self._headers, setting=self._setting)

    @staticmethod
    def _sentence(error: MlflowError, *named: str) -> str:
        sentence = str(registry_error(error, *named))
        if error.status in _REFUSED:
            return f"{sentence} Put a token that may do this into CANOPY_MLFLOW_TOKEN."
        if error.failure in {"refused", "failed"} and error.message:
            return f"{sentence} It says: {error.message}"
        return sentence
