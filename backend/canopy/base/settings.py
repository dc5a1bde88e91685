"""Settings of the process, and all other reads of the environment: no other module of Canopy reads it."""

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_ORIGIN = r"^https?://[A-Za-z0-9._:\[\]-]{1,260}/?$"
_URL_SUFFIXES = ("_URL", "_URI", "_DSN", "_PROXY", "_ENDPOINT")  # of the names of variables that hold URLs
MLFLOW_WORKSPACE_HEADER = "X-MLFLOW-WORKSPACE"


def urls() -> list[str]:
    """Return the URLs in the environment, which may hold passwords: in Canopy's variables and in libraries'."""
    return [value for name, value in os.environ.items() if name.upper().endswith(_URL_SUFFIXES)]


def proxies() -> dict[str, str]:
    """Return the proxy variables that are set, by name in upper case. Lower-case ones take precedence, as usual."""
    found = {name.upper(): os.environ[name] for name in sorted(os.environ)}
    return {name: found[name] for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") if found.get(name)}


def certificate_authorities() -> dict[str, str]:
    """Return the variables that are set with paths of trusted CA certificates, in the order of precedence."""
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def tls_key_log() -> str | None:
    """Return the file to which Python writes TLS session keys for debugging; None if there is none."""
    return os.environ.get("SSLKEYLOGFILE") or None


def no_color() -> bool:
    """Return whether the environment asks for no colours (https://no-color.org)."""
    return bool(os.environ.get("NO_COLOR"))


def object_storage_url() -> str:
    """Return the URL of the S3 endpoint that the storage library uses: from the environment, or else Amazon's."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    return next(filter(None, map(os.environ.get, names)), "https://s3.amazonaws.com")


# Present names of settings by former names, which still work: `CANOPY_GRACE_PERIOD` is `CANOPY_GRACE_PERIOD_SECONDS`.
FORMER_SETTINGS = {
    "drain_delay": "drain_delay_seconds",
    "grace_period": "grace_period_seconds",
    "model_connect_timeout": "model_connect_timeout_seconds",
    "model_first_token_timeout": "model_first_token_timeout_seconds",
    "model_token_timeout": "model_token_timeout_seconds",
    "model_reply_timeout": "model_reply_timeout_seconds",
    "queue_timeout": "queue_timeout_seconds",
    "keepalive_interval": "keepalive_interval_seconds",
    "head_timeout": "head_timeout_seconds",
    "idle_timeout": "idle_timeout_seconds",
    "body_timeout": "body_timeout_seconds",
    "comparison_lifetime": "ballot_window_seconds",
    "judge_timeout": "judge_timeout_seconds",
    "judge_agreement_interval": "judge_agreement_interval_seconds",
    "config_poll_interval": "config_poll_interval_seconds",
    "scan_timeout": "scan_timeout_seconds",
    "prompt_refresh_interval": "prompt_refresh_interval_seconds",
}


def deprecated_settings() -> list[tuple[str, str]]:
    """Return the former and the present variable of each setting that the environment has under its former name."""
    given = _variables()
    return [(_variable(old), _variable(new)) for old, new in FORMER_SETTINGS.items() if _variable(old) in given]


def _variable(setting: str) -> str:
    return f"CANOPY_{setting.upper()}"


def _variables() -> dict[str, str]:
    """Return Canopy's own variables by name in upper case; case doesn't matter, as for all settings."""
    return {name.upper(): value for name, value in os.environ.items() if name.upper().startswith("CANOPY_")}


class Settings(BaseSettings):
    """Settings of the process, each from the variable `CANOPY_<NAME>`. The values file configures the application."""

    model_config = SettingsConfigDict(env_prefix="CANOPY_", extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on; `::` takes IPv4 and IPv6.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    allowed_hosts: str | None = Field(
        None,
        description="Further names, with commas between them, under which a server on loopback that is open answers.",
    )
    operations_host: str | None = Field(
        None, description="Address on which probes and metrics have their port. Unset: that of `CANOPY_HOST`."
    )
    operations_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port for probes and metrics alone; 0 takes a free one. Unset: they have none of their own.",
    )
    config_path: Path | None = Field(
        None,
        description="The values file. Unset: `/canopy/canopy-config.yaml` where it exists, else the built-in values.",
    )
    store_url: SecretStr = Field(
        SecretStr("sqlite:///var/canopy.db"),
        description="`sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`.",
    )
    auth_tokens_file: Path | None = Field(
        None, description="The tokens that people and programs sign in with, where `auth.mode` is `token`."
    )
    auth_proxy_secret_file: Path | None = Field(
        None,
        description="The secret that the OAuth proxy sends with each request, where `auth.mode` is `proxy`: a file, or "
        "a folder of files, with a secret on each line.",
    )
    runbooks: str = Field(
        "docs/operations.md",
        min_length=1,
        description="Where Status sends people: the address of docs/operations.md in your fork.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")
    banner: bool | None = Field(
        None, description="Print a summary on standard error at the start. Unset: on a terminal only."
    )
    drain_delay_seconds: float = Field(
        0, ge=0, description="Seconds between SIGTERM and the last accepted connection, so that routers notice."
    )
    grace_period_seconds: float = Field(
        60, gt=0, description="Seconds that open streams get to finish after the drain delay."
    )
    model_connect_timeout_seconds: float = Field(5, gt=0, description="Seconds to connect to the model server.")
    model_first_token_timeout_seconds: float = Field(60, gt=0, description="Seconds to the model's first token.")
    model_token_timeout_seconds: float = Field(30, gt=0, description="Seconds of silence between two tokens.")
    model_reply_timeout_seconds: float = Field(3600, gt=0, description="Seconds to the end of the model's reply.")
    model_retries: int = Field(2, ge=0, description="Retries of a model call, only before its first token.")
    max_generations: int = Field(256, ge=1, description="Generations at once.")
    max_generations_per_user: int | None = Field(
        None, ge=1, description="Generations of one user at once. Unset: a quarter of all, but at least 2."
    )
    max_queued_generations: int = Field(64, ge=0, description="Generations waiting for their turn; beyond it 503.")
    queue_timeout_seconds: float = Field(
        10, gt=0, description="Seconds that a generation waits for its turn; then 503."
    )
    keepalive_interval_seconds: float = Field(
        15, gt=0, description="Seconds of quiet after which a stream gets a comment line."
    )
    max_connections: int = Field(
        1000, ge=2, description="Connections of clients at once; beyond it the one that waits longest makes room."
    )
    max_head_bytes: int = Field(
        65_536, ge=1024, description="Largest request line and headers, in bytes together; beyond it 431."
    )
    head_timeout_seconds: float = Field(
        10,
        gt=0,
        description="Seconds in which a request's head must have arrived, from the connection or its first byte.",
    )
    idle_timeout_seconds: int = Field(
        60,
        ge=1,
        description="Seconds until an idle connection is closed, or one whose client takes nothing of its answer.",
    )
    max_held_bytes: int = Field(
        100_000_000,
        ge=1_000_000,
        description="Bytes of bodies and of unread answers together, of all clients; beyond it the slowest ends.",
    )
    max_body_bytes: int = Field(1_000_000, ge=1, description="Largest request body in bytes; beyond it 413.")
    body_timeout_seconds: float = Field(30, gt=0, description="Seconds in which a request's body must have arrived.")
    max_prompt_chars: int = Field(
        100_000,
        ge=1,
        description="Longest text to answer, to vote on or to expect, in characters; a conversation may hold two.",
    )
    max_comment_chars: int = Field(4_000, ge=0, description="Longest comment on a vote, in characters.")
    ballot_window_seconds: float = Field(
        86_400, gt=0, description="Seconds in which a comparison can be voted on, and the vote be changed."
    )
    judge_timeout_seconds: float = Field(
        60, gt=0, description="Seconds that a judge's model may take for one question."
    )
    judge_agreement_interval_seconds: float = Field(
        300, gt=0, description="Seconds between two counts of how judges agree with people, for the metric."
    )
    config_poll_interval_seconds: float = Field(0.25, gt=0, description="Seconds between two looks at the values file.")
    retention_days: int = Field(0, ge=0, description="Days after which records are deleted; 0 keeps them.")
    scan_timeout_seconds: float = Field(
        10, gt=0, description="Seconds that a search may take; 503 if it has no answer then."
    )
    span_events: bool | None = Field(
        None,
        description="Make votes, judgements and assignments events of spans as well as OpenTelemetry's log records. "
        "Unset: where nobody takes log records.",
    )
    mlflow_token: SecretStr | None = Field(None, description="Bearer token for MLflow.")
    mlflow_workspace: str | None = Field(
        None,
        validate_default=True,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="The workspace at MLflow, where it has any. Unset: what MLflow's own `MLFLOW_WORKSPACE` says.",
    )
    prompt_refresh_interval_seconds: float = Field(
        15, gt=0, description="Seconds between two looks at MLflow's prompt registry, where the values name a prompt."
    )
    notifications_url: SecretStr | None = Field(
        None, description="The webhook that is told of experiments, where its address is a secret, as Slack's is."
    )
    public_url: str | None = Field(
        None,
        pattern=_ORIGIN,
        description="Where people reach Canopy, such as `https://canopy.example.com`, for links in what it sends.",
    )
    evals_token: SecretStr | None = Field(
        None, description="Bearer token with which `canopy evals` asks the backend. Unset: it asks without."
    )
    git_token: SecretStr | None = Field(
        None, description="Token with which promotions open pull requests at the Git host."
    )

    backend_token: SecretStr | None = Field(
        None,
        description="Bearer token with which `canopy promote` and its kin ask a server. Unset: they ask without.",
    )

    @model_validator(mode="before")
    @classmethod
    def _take_former_names(cls, given: Any) -> Any:
        """Read settings under their former names. Raises ValueError if both names of one have different values."""
        variables = _variables()
        for old, new in FORMER_SETTINGS.items():
            if (value := variables.get(_variable(old))) is None:
                continue
            if not cls._reads_the_same(new, variables.get(_variable(new), value), value):
                raise ValueError(
                    f"{_variable(old)} and {_variable(new)} are two names of one setting. Keep one of them"
                )
            given.setdefault(new, value)
        return given

    @classmethod
    def _reads_the_same(cls, setting: str, one: str, other: str) -> bool:
        """Return whether a setting takes two texts for the same value, as `5` and `5.0`. One may be no value at all."""
        read = TypeAdapter[Any](cls.__annotations__[setting]).validate_python
        try:
            return one == other or bool(read(one) == read(other))
        except ValidationError:
            return False

    @field_validator("mlflow_workspace", mode="before")
    @classmethod
    def _as_for_mlflows_client(cls, workspace: str | None) -> str | None:
        return workspace or os.environ.get("MLFLOW_WORKSPACE") or None

    @field_validator("public_url", mode="before")
    @classmethod
    def _as_an_origin(cls, url: str | None) -> str | None:
        if url and not re.fullmatch(_ORIGIN, url):
            raise ValueError("must be an address without a path, such as `https://canopy.example.com`")
        return (url or "").removesuffix("/") or None

    @property
    def evals_bearer_token(self) -> str | None:
        """Return the token that evaluations send to the backend; None without one."""
        return self.evals_token.get_secret_value() if self.evals_token else None

    @property
    def backend_bearer_token(self) -> str | None:
        """Return the token that `canopy promote` and its kin send to the server; None without one."""
        return self.backend_token.get_secret_value() if self.backend_token else None

    @property
    def git_access_token(self) -> str | None:
        """Return the token for the Git host; None without one."""
        return self.git_token.get_secret_value() if self.git_token else None

    @property
    def mlflow_headers(self) -> dict[str, str]:
        """Return the headers of every request to MLflow: token and workspace, as MLflow's own client sends them."""
        token, workspace = self.mlflow_token, self.mlflow_workspace
        return {
            **({"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}),
            **({MLFLOW_WORKSPACE_HEADER: workspace} if workspace else {}),
        }

    @property
    def reachable_from_outside(self) -> bool:
        """Return whether other machines can connect to the main port."""
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:  # a name
            return self.host != "localhost"


def environment_with(more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a program that Canopy starts: its own, and these variables."""
    return {**os.environ, **more}
