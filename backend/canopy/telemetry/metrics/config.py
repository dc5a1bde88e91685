"""Metrics of the config in force, its flags, and access."""

from prometheus_client import CollectorRegistry

from canopy.telemetry.access_events import (
    ProxySecretRejected,
    ProxySecretReloaded,
    SignInRefused,
    TokensRejected,
    TokensReloaded,
)
from canopy.telemetry.events import ConfigRejected, ConfigReloaded, Started
from canopy.telemetry.metrics.groups import MetricGroup, counter, gauge, on
from canopy.telemetry.mlflow_events import PromptsLoaded


class ConfigMetrics(MetricGroup):
    """Counts and shows reloads of the values file and of the files of tokens and secrets, flags, and refused tokens."""

    reloads = counter(
        "canopy_config_reloads", "Changes of the values file.", ("result",), starts=[("success",), ("failure",)]
    )
    reload_ok = gauge("canopy_config_last_reload_successful", "1 when the values in force are the file's.")
    reload_time = gauge(
        "canopy_config_last_reload_success_timestamp_seconds", "Unix time at which the values in force were loaded."
    )
    tokens_ok = gauge("canopy_auth_tokens_last_reload_successful", "1 when the tokens in force are the file's.")
    proxy_secret_ok = gauge(
        "canopy_auth_proxy_secret_last_reload_successful", "1 when the proxy's secrets in force are the file's."
    )
    access_open = gauge("canopy_access_open", "1 when other machines reach this server and may do everything.")
    sign_ins_refused = counter(
        "canopy_sign_ins_refused", "Tokens that were not taken.", ("reason",), starts=[("unknown",), ("limited",)]
    )
    features = gauge(
        "canopy_feature_enabled", "1 when a flag is on, 0 when it is off.", ("flag",), formerly="canopy_flag"
    )

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._flags_shown: set[str] = set()
        self.reload_time.set_to_current_time()
        for ok in (self.reload_ok, self.tokens_ok, self.proxy_secret_ok):
            ok.set(1)

    @on(Started, ConfigReloaded, PromptsLoaded)
    def _flags(self, event: Started | ConfigReloaded | PromptsLoaded) -> None:
        for gone in self._flags_shown - event.flags.keys():
            self.features.remove(gone)
        self._flags_shown = set(event.flags)
        for name, is_on in event.flags.items():
            self.features.labels(name).set(is_on)

    @on(ConfigReloaded)
    def _reloaded(self, _: ConfigReloaded) -> None:
        self.reloads.labels("success").inc()
        self.reload_ok.set(1)
        self.reload_time.set_to_current_time()

    @on(ConfigRejected)
    def _rejected(self, _: ConfigRejected) -> None:
        self.reloads.labels("failure").inc()
        self.reload_ok.set(0)

    @on(TokensReloaded, TokensRejected)
    def _tokens(self, event: TokensReloaded | TokensRejected) -> None:
        self.tokens_ok.set(isinstance(event, TokensReloaded))

    @on(ProxySecretReloaded, ProxySecretRejected)
    def _proxy_secret(self, event: ProxySecretReloaded | ProxySecretRejected) -> None:
        self.proxy_secret_ok.set(isinstance(event, ProxySecretReloaded))

    @on(SignInRefused)
    def _refused(self, event: SignInRefused) -> None:
        self.sign_ins_refused.labels(event.reason).inc()
