"""Says how each part of the process is, from what is in force and what was seen last."""

from collections.abc import Callable, Collection, Sequence

from canopy.config.feature_values import VARIANTS
from canopy.config.flags import comparison_flag
from canopy.config.loading import Config
from canopy.inference.protocol import ServerState
from canopy.store.engine.database import StoreSize
from canopy.store.engine.migrate import HEAD, Schema
from canopy.store.outbox.deliveries import Backlog
from canopy.telemetry.access_events import (
    ProxySecretRejected,
    ProxySecretReloaded,
    TokensRejected,
    TokensReloaded,
)
from canopy.telemetry.events import ConfigRejected, ConfigReloaded, JudgementFailed, JudgementRecorded, Started
from canopy.telemetry.latest import LatestEvents
from canopy.telemetry.mlflow_events import MlflowSpansLost, MlflowUntraced
from canopy.telemetry.store_events import StoreFailed
from canopy.text.addresses import without_credentials
from canopy.ui.status import Fact, Runbook, StatusPart

_RECENT = 600_000_000  # microseconds in which a failure of the store is still news, as for its alert
_LOST = 3_600_000_000  # microseconds in which spans that were given up are still news
_FAILING = 900_000_000  # microseconds in which a failed answer says that the model server fails; then it is history
_STUCK = 900_000_000  # microseconds that feedback may wait for MLflow, as for its alert


def values_part(config: Config, path: str | None, latest: LatestEvents) -> StatusPart:
    """Return how the values are: which file is in force, since when, and whether a newer one was refused."""
    refused = latest.of(ConfigRejected)
    reloaded, started = latest.of(ConfigReloaded), latest.of(Started)
    loaded = reloaded or started
    waiting = latest.unmended(ConfigRejected, ConfigReloaded) is not None
    why = without_credentials(refused.event.error) if refused else None
    facts = (
        Fact("path", "File", path, "code"),
        Fact("revision", "Revision", config.revision, "code"),
        Fact("git_revision", "Git commit", config.git_revision, "code"),
        Fact("loaded_at", "Loaded", loaded.at if loaded else None, "moment"),
        Fact("last_refusal_at", "Last refused", refused.at if refused else None, "moment"),
        Fact("last_refusal", "Why", why, "sentence"),
        Fact("former_names", "Former names in use", tuple(it[0] for it in config.deprecated) or None),
    )
    if waiting:
        sentence = "The values file as it is now was refused. The values from before are in force."
        return StatusPart("values", "Values", "trouble", sentence, Runbook("CanopyConfigRejected"), facts, why or "")
    sentence = "The values file is in force." if path else "There is no values file. The built-in values are in force."
    return StatusPart("values", "Values", "ok", sentence, Runbook("CanopyConfigRejected"), facts)


def flags_part(config: Config) -> StatusPart:
    """Return how the flags are: whether one that the values turn on can't work."""
    comparing = config.flags["ab_testing"]
    if config.values.ab_testing.enabled and not comparing.on:
        return StatusPart("flags", "Flags", "trouble", comparing.reason, Runbook("Values"))
    on = [name for name, flag in config.flags.items() if flag.on]
    sentence = f"On: {', '.join(f'`{name}`' for name in on)}." if on else "Nothing is on."
    return StatusPart("flags", "Flags", "ok", sentence, Runbook("Values"))


def models_asked(config: Config, model_name: Callable[[str], str]) -> set[str]:
    """Return the models that the values name, for both variants of features that are on, and for judges.

    A judge without a model of its own asks the built-in feature's, and counts only while it judges what is new: judges
    are there by default. `model_name` says which model answers for a configured one.
    """
    values = config.values
    judges = [it.model for it in values.judges if it.model]
    if values.judging.online and any(not it.model for it in values.judges):
        judges.append(values.summarize.model)
    asked = [
        it.variant(name).model
        for it in config.features.values()
        if it.enabled
        for name in (VARIANTS if comparison_flag(it, values).on else VARIANTS[:1])
    ]
    return {model_name(it) for it in [*asked, *judges]}


def model_part(
    server: ServerState, description: str, wanted: Collection[str], latest: LatestEvents, now: int
) -> StatusPart:
    """Return how the model server is. `wanted` are the models that the values name."""
    failed, answered = latest.model_failed, latest.answered
    unmended = failed if failed is not None and failed.at >= (answered or 0) else None
    listed = server.models
    missing = tuple(sorted(set(wanted) - set(listed))) if listed is not None else ()
    facts = (
        Fact("server", "Server", without_credentials(description)),
        Fact("reason", "What was said", without_credentials(server.reason) if server.reason else None, "sentence"),
        Fact("models", "Models asked", tuple(sorted(set(wanted)))),
        Fact("not_listed", "Not in its list", missing or None),
        Fact("last_answer_at", "Last answer", answered, "moment"),
        Fact("last_failure_at", "Last failure", failed.at if failed else None, "moment"),
        Fact("last_failure", "Why", failed.in_full if failed else None, "sentence"),
        Fact("last_failure_code", "Code", failed.code if failed else None, "code"),
    )
    title, runbook = "Model server", Runbook("CanopyGenerationsFail")
    if not server.usable:
        return StatusPart("model_server", title, "trouble", server.sentence, Runbook("CanopyModelMissing"), facts)
    # A server may answer by a name that isn't in its list.
    unproved = [it for it in missing if not latest.has_answered(it)]
    if unmended is not None and now - unmended.at < _FAILING:
        sentence = f"{server.sentence} But the last answer failed."
        return StatusPart("model_server", title, "trouble", sentence, runbook, facts, unmended.sentence)
    if unproved:
        sentence = f"{server.sentence} Its list of models has no {' and no '.join(f'`{it}`' for it in unproved)}."
        return StatusPart("model_server", title, "trouble", sentence, Runbook("CanopyModelMissing"), facts)
    history = f" The last answer failed {_age(now - unmended.at)} ago." if unmended is not None else ""
    return StatusPart("model_server", title, "ok", server.sentence + history, runbook, facts)


def store_part(
    answer: str,
    place: str,
    schema: Schema | None,
    size: StoreSize | None,
    risk: str | None,
    unindexed: int,
    latest: LatestEvents,
    now: int,
) -> StatusPart:
    """Return how the store is. `answer` is `ok`, or the cause why it doesn't answer."""
    failed = latest.of(StoreFailed)
    facts = (
        Fact("place", "Place", place),
        Fact("schema", "Schema", schema.revision if schema else None, "code"),
        Fact("newest_schema", "Newest schema of this version", HEAD, "code"),
        Fact("bytes", "Size", size.data if size else None, "bytes"),
        Fact("log_bytes", "Write-ahead log", size.log if size else None, "bytes"),
        Fact("not_indexed", "Votes that the search index lacks", unindexed),
        Fact("last_failure_at", "Last failure", failed.at if failed else None, "moment"),
        Fact("last_failure", "Why", failed.event.error if failed else None, "sentence"),
    )
    runbook = Runbook("CanopyStoreErrors")
    if answer != "ok":
        return StatusPart("store", "Store", "trouble", answer, runbook, facts)
    if risk is not None:
        return StatusPart("store", "Store", "trouble", risk, Runbook("The store"), facts)
    if failed is not None and now - failed.at < _RECENT:
        return StatusPart("store", "Store", "trouble", "It answers, but failed a moment ago.", runbook, facts)
    return StatusPart("store", "Store", "ok", "The database answers.", runbook, facts)


def outbox_part(config: Config, backlog: Backlog | None, latest: LatestEvents, now: int) -> StatusPart:
    """Return how the way to MLflow is; without a `backlog` it couldn't be read."""
    values, failed, lost = config.values.mlflow, latest.delivery_failed, latest.of(MlflowSpansLost)
    waiting = latest.spans_waiting
    facts = (
        Fact("server", "MLflow", without_credentials(str(values.url)) if values.enabled else None),
        Fact("waiting", "Waiting", backlog.depth if backlog else None),
        Fact("oldest_at", "Oldest since", backlog.oldest if backlog else None, "moment"),
        Fact("parked", "Parked", backlog.parked if backlog else None),
        Fact("last_delivery_at", "Last delivery", latest.delivered, "moment"),
        Fact("last_problem_at", "Last problem", failed.at if failed else None, "moment"),
        Fact("last_problem", "Why", without_credentials(failed.sentence) if failed else None, "sentence"),
        Fact("traces_problem", "Traces wait", without_credentials(waiting.sentence) if waiting else None, "sentence"),
        Fact("last_lost_spans_at", "Traces given up", lost.at if lost else None, "moment"),
        Fact("last_lost_spans", "Why", without_credentials(lost.event.problem) if lost else None, "sentence"),
    )
    title, stuck = "Outbox to MLflow", Runbook("CanopyOutboxStuck")
    if not values.enabled:
        return StatusPart(
            "outbox", title, "off", "`mlflow.enabled` is false: nothing is sent.", Runbook("MLflow"), facts
        )
    if found := _undelivered(backlog, latest, now) or _untraced(latest, now):
        sentence, runbook = found
        return StatusPart("outbox", title, "trouble", sentence, runbook, facts)
    if backlog is None:
        return StatusPart("outbox", title, "unknown", "The database doesn't say what waits.", stuck, facts)
    if backlog.depth:
        sentence = f"{_pieces(backlog.depth).capitalize()} on the way."
    elif lost is not None:
        sentence = "Nothing waits. Some traces were given up before."
    elif latest.delivered is None and latest.spans_taken is None:
        sentence = "Nothing waits, and nothing has been sent since the start."
    else:
        sentence = "MLflow knows everything."
    return StatusPart("outbox", title, "ok", sentence, stuck, facts)


def _undelivered(backlog: Backlog | None, latest: LatestEvents, now: int) -> tuple[str, Runbook] | None:
    """Return what is wrong with feedback that is to go to MLflow, and where it says what to do."""
    if backlog is None:
        return None
    if backlog.parked:
        sentence = f"MLflow will not take {_pieces(backlog.parked)}. `canopy outbox list` says why."
        return sentence, Runbook("CanopyOutboxParked")
    waits, failed = _pieces(backlog.depth).capitalize(), latest.delivery_failed
    if backlog.depth and failed is not None and failed.at > (latest.delivered or 0):
        return f"{waits} can't be delivered now. Nothing is lost.", Runbook("CanopyOutboxStuck")
    if backlog.oldest is not None and now - backlog.oldest > _STUCK:
        return f"{waits} have waited for a quarter of an hour. Nothing is lost.", Runbook("CanopyOutboxStuck")
    return None


def _untraced(latest: LatestEvents, now: int) -> tuple[str, Runbook] | None:
    """Return what is wrong with the traces that are to go to MLflow, and where it says what to do."""
    sentence, lost = None, latest.of(MlflowSpansLost)
    if latest.of(MlflowUntraced) is not None:  # for good: an SDK is injected before the process starts
        sentence = "This process runs without an OpenTelemetry SDK. It has no traces to send, so MLflow gets nothing."
    elif latest.spans_waiting is not None:
        sentence = "Traces can't be sent to MLflow now. They wait for 15 minutes, and are given up then."
    elif lost is not None and now - lost.at < _LOST:
        sentence = "Traces were given up. MLflow doesn't get them any more, nor the feedback on them."
    return (sentence, Runbook("MLflow")) if sentence else None


def prompts_part(config: Config, wanted: Collection[str], latest: LatestEvents) -> StatusPart:
    """Return how MLflow's prompt registry is. `wanted` are the references in the values."""
    failures = latest.registry_failures
    in_force = tuple(
        f"{feature}, {'Prompt A' if variant == 'prompt' else 'Prompt B'}: {prompt.reference}"
        for (feature, variant), prompt in config.registered.items()
    )
    facts = (
        Fact("in_force", "In force", in_force or None),
        Fact("failures", "Not loaded", tuple(f"{name}: {why}" for name, why in failures.items()) or None, "sentence"),
    )
    title, runbook = "Prompt registry", Runbook("CanopyPromptRegistryDown")
    if not wanted:
        sentence = "The values name no prompt in MLflow's registry."
        return StatusPart("prompt_registry", title, "off", sentence, runbook, facts)
    if failures:
        sentence = "A prompt can't be loaded. What was in force serves on."
        return StatusPart("prompt_registry", title, "trouble", sentence, runbook, facts, " ".join(failures.values()))
    return StatusPart("prompt_registry", title, "ok", "The registry's prompts are in force.", runbook, facts)


def judges_part(judges: int, latest: LatestEvents, *, online: bool) -> StatusPart:
    """Return how the judges of this process are."""
    failed = latest.unmended(JudgementFailed, JudgementRecorded)
    facts = (
        Fact("last_failure_at", "Last failure", failed.at if failed else None, "moment"),
        Fact("last_failure", "Why", f"{failed.event.judge}: {failed.event.error}" if failed else None, "sentence"),
    )
    runbook = Runbook("Judges")
    if not judges:
        return StatusPart("judges", "Judges", "off", "The values define no judge.", runbook, facts)
    if failed is not None:
        return StatusPart("judges", "Judges", "trouble", "The last question to a judge failed.", runbook, facts)
    if not online:
        sentence = "`judging.online` is false: they label when `canopy judge run` asks them."
        return StatusPart("judges", "Judges", "off", sentence, runbook, facts)
    return StatusPart("judges", "Judges", "ok", "They label a share of new answers.", runbook, facts)


def access_part(mode: str, address: str, latest: LatestEvents, *, outside: bool) -> StatusPart:
    """Return who may do what; `outside` says whether other machines reach the server."""
    tokens = latest.unmended(TokensRejected, TokensReloaded)
    secret = latest.unmended(ProxySecretRejected, ProxySecretReloaded)
    refused = tokens or secret
    facts = (
        Fact("mode", "auth.mode", mode, "code"),
        Fact("address", "Listens at", address or None, "code"),
        Fact("last_refusal_at", "Last refused file", refused.at if refused else None, "moment"),
        Fact("last_refusal", "Why", refused.event.error if refused else None, "sentence"),
    )
    if refused is not None:
        what = "tokens" if tokens else "the proxy's secret"
        sentence = f"The file with {what} can't be used. What was in force stays in force."
        return StatusPart("access", "Access", "trouble", sentence, Runbook("CanopyTokensRejected"), facts)
    runbook = Runbook("CanopyAccessOpen")
    if mode == "open" and outside:
        sentence = "Everybody who reaches the server may do everything."
        return StatusPart("access", "Access", "trouble", sentence, runbook, facts)
    sentence = "Nobody is asked who they are." if mode == "open" else "People are asked who they are."
    return StatusPart("access", "Access", "ok", sentence, Runbook("Who may do what"), facts)


def process_part(version: str, python: str, host: str, state: str, latest: LatestEvents) -> StatusPart:
    """Return which version runs where, and since when."""
    started = latest.of(Started)
    facts = (
        Fact("version", "Version", version, "code"),
        Fact("python", "Python", python, "code"),
        Fact("host", "Host", host, "code"),
        Fact("started_at", "Started", started.at if started else None, "moment"),
    )
    sentence = f"Canopy {version} {'is going to end' if state == 'draining' else 'serves'}."
    return StatusPart("process", "Version", "ok", sentence, Runbook("Going back"), facts)


def experiments_part(decided: Sequence[bool] | None) -> StatusPart:
    """Return what there is to say of the experiments in force; `decided` says of each whether it has a decision.

    With None they couldn't be read.
    """
    runbook = Runbook("CanopyNoVotes")
    if decided is None:
        sentence = "The database doesn't say what is compared."
        return StatusPart("experiments", "Experiments", "unknown", sentence, runbook)
    if not decided:
        return StatusPart("experiments", "Experiments", "off", "No prompts are compared.", runbook)
    waiting = sum(decided)
    sentence = (
        f"{waiting} of {len(decided)} in force {'has' if waiting == 1 else 'have'} a decision to act on."
        if waiting
        else "Those in force collect votes."
    )
    return StatusPart("experiments", "Experiments", "ok", sentence, runbook)


def _age(microseconds: int) -> str:
    minutes = microseconds // 60_000_000
    for size, unit in ((1_440, "day"), (60, "hour")):
        if minutes >= 2 * size:
            return f"{minutes // size:,} {unit}s"
    return f"{minutes} minutes"


def _pieces(count: int) -> str:
    return f"{count:,} piece{'' if count == 1 else 's'} of feedback"
