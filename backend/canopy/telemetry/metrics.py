"""The metrics on /metrics. `docs/operations.md` describes each. Label values come from closed or configured lists."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from canopy.config.values import SATISFACTION
from canopy.store.outbox.deliveries import Outcome
from canopy.telemetry.access_events import (
    ProxySecretRejected,
    ProxySecretReloaded,
    SignInRefused,
    TokensRejected,
    TokensReloaded,
)
from canopy.telemetry.connection_events import RequestRefused
from canopy.telemetry.events import (
    AbPreferenceSubmitted,
    ConfigRejected,
    ConfigReloaded,
    Event,
    FeedbackDeleted,
    FeedbackSubmitted,
    GenerationFinished,
    HttpRequest,
    JudgementFailed,
    JudgementRecorded,
    RequestFailed,
    ReviewSaved,
    Started,
    StoreFailed,
)
from canopy.telemetry.mlflow_events import DeliveryEnded, MlflowSpansLost, PromptsLoaded
from canopy.telemetry.process_metrics import ProcessMetrics

# OpenTelemetry's advice for http.server.request.duration, in seconds.
_HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60)
_FIRST_TOKEN_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
_PER_TOKEN_BUCKETS = (0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1)

OTHER = "_OTHER"  # OpenTelemetry's label for what is not told apart
_ENDED = ("feature", "status", "code")  # labels of model calls
_MOST_PROMPTS = 100
_NOT_TAKEN = 405


class Metrics:
    """A registry of its own, filled from events."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._http = Histogram(
            "http_server_request_duration_seconds",
            "Time to answer a request, by OpenTelemetry's conventions.",
            ("http_request_method", "http_route", "http_response_status_code"),
            buckets=_HTTP_BUCKETS,
            registry=registry,
        )
        registry.register(_RequestCount(self._http))
        self.active_requests = Gauge("http_server_active_requests", "Requests being answered.", registry=registry)
        self._votes = Counter(
            "canopy_feedback",
            "Votes on satisfaction committed; prompt_id is empty for texts that Canopy didn't make.",
            ("feature", "rating", "prompt_id"),
            registry=registry,
        )
        self._deleted = Counter(
            "canopy_feedback_deleted",
            "Votes on satisfaction taken back, or changed to another rating.",
            ("feature", "rating", "prompt_id"),
            registry=registry,
        )
        self._preferences = Counter(
            "canopy_ab_preferences",
            "Ballots on comparisons, changes left out, by what won and the id of the winning prompt.",
            ("winner", "prompt_id"),
            registry=registry,
        )
        self._reviews = Counter(
            "canopy_reviews",
            "Expected results written (`created`), changed (`replaced`) and taken back (`deleted`).",
            ("feature", "outcome"),
            registry=registry,
        )
        self._judgements = Counter(
            "canopy_judgements", "Labels that judges gave, by new versions too.", ("judge", "label"), registry=registry
        )
        self._judgement_failures = Counter(
            "canopy_judgement_failures", "Questions to judges without a label.", ("judge", "code"), registry=registry
        )
        self.judgements_dropped = Counter(
            "canopy_judgements_dropped",
            "Judgements left out while serving, because too many waited.",
            ("judge",),
            registry=registry,
        )
        self._agreement = Gauge(
            "canopy_judge_agreement_kappa",
            "Cohen's kappa of a judge's labels and people's votes; absent where it can't be told.",
            ("judge",),
            registry=registry,
        )
        self._agreeing: set[str] = set()
        self._generations = Counter("canopy_generations", "Users' model calls that ended.", _ENDED, registry=registry)
        self._tested = Counter("canopy_evaluation_generations", "Calls for evaluations.", _ENDED, registry=registry)
        self.evaluation_errors = Counter(
            "canopy_evaluation_request_errors",
            "Requests of evaluations that got a status of 500 or above.",
            registry=registry,
        )
        self.generations_in_flight = Gauge("canopy_generations_in_flight", "Model calls under way.", registry=registry)
        self.generations_queued = Gauge(
            "canopy_generations_queued", "Requests waiting for a free place at the model.", registry=registry
        )
        self._first_token = Histogram(
            "canopy_time_to_first_token_seconds",
            "From the model call to its first token.",
            ("feature",),
            buckets=_FIRST_TOKEN_BUCKETS,
            registry=registry,
        )
        self._per_token = Histogram(
            "canopy_time_per_output_token_seconds",
            "Mean time between two tokens of a generation, the first excluded.",
            ("feature",),
            buckets=_PER_TOKEN_BUCKETS,
            registry=registry,
        )
        self._tokens = Counter(
            "canopy_tokens", "Tokens, as the model server counts them.", ("feature", "type"), registry=registry
        )
        self._reloads = Counter("canopy_config_reloads", "Changes of the values file.", ("result",), registry=registry)
        self._reload_ok = Gauge(
            "canopy_config_last_reload_successful", "1 when the values in force are the file's.", registry=registry
        )
        self._reload_time = Gauge(
            "canopy_config_last_reload_success_timestamp_seconds",
            "When the values in force were loaded.",
            registry=registry,
        )
        self._reload_time.set_to_current_time()
        self._tokens_ok = Gauge(
            "canopy_auth_tokens_last_reload_successful", "1 when the tokens in force are the file's.", registry=registry
        )
        self._proxy_secret_ok = Gauge(
            "canopy_auth_proxy_secret_last_reload_successful",
            "1 when the proxy's secrets in force are the file's.",
            registry=registry,
        )
        for ok in (self._reload_ok, self._tokens_ok, self._proxy_secret_ok):
            ok.set(1)
        self.access_open = Gauge(
            "canopy_access_open", "1 when other machines reach this server and may do everything.", registry=registry
        )
        self.unindexed_votes = Gauge("canopy_search_index_votes_left", "Votes not indexed yet.", registry=registry)
        self._refused = Counter("canopy_sign_ins_refused", "Tokens not taken.", ("reason",), registry=registry)
        for reason in ("unknown", "limited"):  # a rate needs the zero before the first
            self._refused.labels(reason)
        self._flags = Gauge("canopy_flag", "1 when a flag is on.", ("flag",), registry=registry)
        self.prompt_registry_up = Gauge(
            "canopy_prompt_registry_up", "0 when the last look at MLflow's prompt registry failed.", registry=registry
        )
        self.prompt_registry_up.set(1)
        self._failures = Counter(
            "canopy_request_failures", "Requests not served by Canopy's fault.", ("code",), registry=registry
        )
        self._refusals = Counter(
            "canopy_requests_refused", "Requests refused for their head or framing.", ("code",), registry=registry
        )
        self._store_errors = Counter("canopy_store_errors", "Calls that the store failed.", registry=registry)
        self._outbox_depth = Gauge("canopy_outbox_depth", "Subjects that MLflow is to be told of.", registry=registry)
        self._outbox_age = Gauge(
            "canopy_outbox_oldest_age_seconds", "How long the first of them has waited; 0 for none.", registry=registry
        )
        self._outbox_parked = Gauge("canopy_outbox_parked", "Subjects that could not be delivered.", registry=registry)
        self._deliveries = Counter("canopy_deliveries", "Tries to tell MLflow.", ("result",), registry=registry)
        for outcome in get_args(Outcome.__value__):  # a rate needs the zero before the first
            self._deliveries.labels(outcome)
        self._spans_lost = Counter("canopy_mlflow_spans_lost", "Spans that did not reach MLflow.", registry=registry)
        self.process = ProcessMetrics(registry)
        self._prompt_ids: set[str] = set()
        # Looking a child up costs more than counting; the sets of label values are small.
        self._vote_child = lru_cache(1024)(self._votes.labels)
        self._http_child = lru_cache(1024)(self._http.labels)

    def record(self, event: Event) -> None:
        """Count the event; one that no metric stands for is passed over."""
        if count := _COUNTERS.get(type(event)):
            count(self, event)

    def outbox(self, depth: int, age: Callable[[], float], parked: int) -> None:
        """What the outbox holds, the same from every replica; `age` in seconds, asked for whenever it is shown."""
        self._outbox_depth.set(depth)
        self._outbox_age.set_function(age)
        self._outbox_parked.set(parked)

    def show_agreement(self, kappas: Mapping[str, float]) -> None:
        """Show these judges' agreement with people, and no other's."""
        for judge in self._agreeing - kappas.keys():
            self._agreement.remove(judge)
        for judge, kappa in kappas.items():
            self._agreement.labels(judge).set(kappa)
        self._agreeing = set(kappas)

    def _on_http(self, event: HttpRequest) -> None:
        method, route, status = event.http_request_method, event.http_route, event.http_response_status_code
        if not route or status == _NOT_TAKEN:  # the client's choice: each pair would be a series of its own
            method, route = OTHER, ""
        self._http_child(method, route, str(status)).observe(event.duration_seconds, {"trace_id": event.trace_id})

    def _prompt_label(self, prompt_id: str | None) -> str:
        """The prompt's id; `_OTHER` once there are many, since the values change for as long as the process lives."""
        if not prompt_id or prompt_id in self._prompt_ids:
            return prompt_id or ""
        if len(self._prompt_ids) >= _MOST_PROMPTS:
            return OTHER
        self._prompt_ids.add(prompt_id)
        return prompt_id

    def _on_generation(self, event: GenerationFinished) -> None:
        it = event.generation
        ended = self._tested if it.evaluation else self._generations
        ended.labels(it.feature, it.status, it.error_code or "").inc()
        exemplar = {"trace_id": it.trace_id}
        if it.time_to_first_token is not None and not it.evaluation:
            self._first_token.labels(it.feature).observe(it.time_to_first_token, exemplar)
            if it.output_tokens and it.output_tokens > 1:
                spent = it.duration - it.time_to_first_token
                self._per_token.labels(it.feature).observe(spent / (it.output_tokens - 1), exemplar)
        for kind, tokens in (("input", it.input_tokens), ("output", it.output_tokens)):
            if tokens:
                self._tokens.labels(it.feature, kind).inc(tokens)

    def _on_vote(self, event: FeedbackSubmitted) -> None:
        it = event.receipt
        if it.name != SATISFACTION or it.value == it.former:
            return
        prompt_id = self._prompt_label(it.prompt_id)
        self._vote_child(it.feature, it.value, prompt_id).inc()
        if it.former is not None:
            self._deleted.labels(it.feature, it.former, prompt_id).inc()

    def _on_deleted(self, event: FeedbackDeleted) -> None:
        it = event.receipt
        if it.name != SATISFACTION:
            return
        self._deleted.labels(it.feature, it.value, self._prompt_label(it.prompt_id)).inc()

    def _on_preference(self, event: AbPreferenceSubmitted) -> None:
        it = event.receipt
        if it.outcome == "replaced":  # a counter can't take the first preference back; the statistics keep it too
            return
        self._preferences.labels(it.winner or it.preference, self._prompt_label(it.winning_prompt_id)).inc()

    def _on_review(self, event: ReviewSaved) -> None:
        self._reviews.labels(event.receipt.feature, event.receipt.outcome).inc()

    def _on_judgement(self, event: JudgementRecorded) -> None:
        self._judgements.labels(event.judge, event.receipt.value).inc()

    def _on_judgement_failed(self, event: JudgementFailed) -> None:
        self._judgement_failures.labels(event.judge, event.code).inc()

    def _on_flags(self, event: Started | ConfigReloaded | PromptsLoaded) -> None:
        for name, on in event.flags.items():
            self._flags.labels(name).set(on)
        if isinstance(event, ConfigReloaded):
            self._reloads.labels("success").inc()
            self._reload_ok.set(1)
            self._reload_time.set_to_current_time()

    def _on_rejected(self, _: ConfigRejected) -> None:
        self._reloads.labels("failure").inc()
        self._reload_ok.set(0)

    def _on_tokens(self, event: TokensReloaded | TokensRejected) -> None:
        self._tokens_ok.set(isinstance(event, TokensReloaded))

    def _on_proxy_secret(self, event: ProxySecretReloaded | ProxySecretRejected) -> None:
        self._proxy_secret_ok.set(isinstance(event, ProxySecretReloaded))

    def _on_failure(self, event: RequestFailed) -> None:
        self._failures.labels(event.code).inc()

    def _on_refusal(self, event: RequestRefused) -> None:
        self._refusals.labels(event.code).inc()

    def _on_delivery(self, event: DeliveryEnded) -> None:
        self._deliveries.labels(event.outcome).inc()

    def _on_spans_lost(self, event: MlflowSpansLost) -> None:
        self._spans_lost.inc(event.spans)

    def _on_store_failed(self, _: StoreFailed) -> None:
        self._store_errors.inc()


_COUNTERS: dict[type[Event], Callable[[Metrics, Any], None]] = {
    HttpRequest: Metrics._on_http,
    GenerationFinished: Metrics._on_generation,
    FeedbackSubmitted: Metrics._on_vote,
    FeedbackDeleted: Metrics._on_deleted,
    AbPreferenceSubmitted: Metrics._on_preference,
    ReviewSaved: Metrics._on_review,
    JudgementRecorded: Metrics._on_judgement,
    JudgementFailed: Metrics._on_judgement_failed,
    Started: Metrics._on_flags,
    ConfigReloaded: Metrics._on_flags,
    PromptsLoaded: Metrics._on_flags,
    ConfigRejected: Metrics._on_rejected,
    TokensReloaded: Metrics._on_tokens,
    TokensRejected: Metrics._on_tokens,
    ProxySecretReloaded: Metrics._on_proxy_secret,
    ProxySecretRejected: Metrics._on_proxy_secret,
    SignInRefused: lambda metrics, event: metrics._refused.labels(event.reason).inc(),
    RequestFailed: Metrics._on_failure,
    RequestRefused: Metrics._on_refusal,
    DeliveryEnded: Metrics._on_delivery,
    MlflowSpansLost: Metrics._on_spans_lost,
    StoreFailed: Metrics._on_store_failed,
}


class _RequestCount(Collector):
    """`http_server_request_count` and `_sum`, the lab's names, read from the histogram when scraped."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram

    def collect(self) -> Iterable[Metric]:
        labels = ("http_request_method", "http_route", "http_response_status_code")
        family = SummaryMetricFamily("http_server_request", "Requests answered, and the seconds spent.", labels=labels)
        rows: dict[tuple[str, ...], dict[str, float]] = {}
        for metric in self._histogram.collect():
            for sample in metric.samples:
                suffix = sample.name.removeprefix("http_server_request_duration_seconds_")
                if suffix in {"count", "sum"}:
                    rows.setdefault(tuple(sample.labels[name] for name in labels), {})[suffix] = sample.value
        for values, row in rows.items():
            family.add_metric(values, count_value=int(row["count"]), sum_value=row["sum"])
        yield family
