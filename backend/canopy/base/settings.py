"""What the process is told by its environment. Nothing else in Canopy reads the environment."""

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_HOLD_ADDRESSES = ("_URL", "_URI", "_DSN", "_PROXY", "_ENDPOINT")  # how the names of such variables end


def addresses() -> list[str]:
    """Return the addresses in the environment: in Canopy's own variables, and in those that libraries read."""
    return [value for name, value in os.environ.items() if name.upper().endswith(_HOLD_ADDRESSES)]


def proxies() -> dict[str, str]:
    """Return the variables that name proxies, and `NO_PROXY`, where they are set. Lower case comes first, as usual."""
    found = {name.upper(): os.environ[name] for name in sorted(os.environ)}
    return {name: found[name] for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") if found.get(name)}


def authorities() -> dict[str, str]:
    """Return the variables that say whose certificates are trusted, where they are set; the first ones come first."""
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def key_log() -> str | None:
    """Return the file into which Python writes the keys of TLS connections, for debugging; None where there is none."""
    return os.environ.get("SSLKEYLOGFILE") or None


def storage_address() -> str:
    """Return the address of object storage: the one that its library takes from the environment, or else Amazon's."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    return next(filter(None, map(os.environ.get, names)), "https://s3.amazonaws.com")


# The names that settings had, with those they have. `CANOPY_GRACE_PERIOD` still means what it did.
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
    """Return the variables in the environment whose setting has another name now, each with that name."""
    given = _variables()
    return [(_variable(old), _variable(new)) for old, new in FORMER_SETTINGS.items() if _variable(old) in given]


def _variable(setting: str) -> str:
    return f"CANOPY_{setting.upper()}"


def _variables() -> dict[str, str]:
    """Return Canopy's own variables by name. Upper and lower case are alike, as they are for all settings."""
    return {name.upper(): value for name, value in os.environ.items() if name.upper().startswith("CANOPY_")}


class Settings(BaseSettings):
    """Process settings, each from `CANOPY_<NAME>`. What the application does is in the values file instead."""

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
        description="Longest text to summarize, to vote on or to expect, in characters; a conversation may hold two.",
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
    evals_token: SecretStr | None = Field(
        None, description="Bearer token with which `canopy evals` asks the backend. Unset: it asks without."
    )

    @model_validator(mode="before")
    @classmethod
    def _take_former_names(cls, given: Any) -> Any:
        """Read what the environment has under former names. Refuse both names of a setting where they differ."""
        variables = _variables()
        for old, new in FORMER_SETTINGS.items():
            if (value := variables.get(_variable(old))) is None:
                continue
            if variables.get(_variable(new), value) != value:
                raise ValueError(
                    f"{_variable(old)} and {_variable(new)} are two names of one setting. Keep one of them"
                )
            given.setdefault(new, value)
        return given

    @field_validator("mlflow_workspace", mode="before")
    @classmethod
    def _as_for_mlflows_client(cls, workspace: str | None) -> str | None:
        return workspace or os.environ.get("MLFLOW_WORKSPACE") or None

    @property
    def mlflow_headers(self) -> dict[str, str]:
        """Return the headers of every request to MLflow, by the names that MLflow's own client has for it."""
        token, workspace = self.mlflow_token, self.mlflow_workspace
        return {
            **({"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}),
            **({"X-MLFLOW-WORKSPACE": workspace} if workspace else {}),
        }

    @property
    def others_reach_it(self) -> bool:
        """Return whether other machines can connect to the port."""
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:  # a name
            return self.host != "localhost"
