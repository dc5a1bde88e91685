"""What a webhook is told of experiments: by a real HTTP server, with its faults."""

import socket
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from pydantic import ValidationError

from canopy.base.errors import ConfigError
from canopy.base.settings import Settings
from canopy.experiments.notifications import webhook_address
from canopy.stats.before_after import Outcomes
from canopy.store.experiments.experiment import Experiment
from canopy.store.experiments.experiment_news import ExperimentNews
from canopy.store.experiments.variants_in_force import PromptAndModel, VariantInForce
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.contract.store.records import HOUR, NOON, Clock, a_ballot, a_comparison, an_experiment
from tests.contract.webhooks import EXPERIMENT, RULE, Process, Webhook
from tests.support.answering import Answer, answering
from tests.support.server import empty_database

SECRET = "T00-B00-XXXXXXXX"  # in the address, as Slack has it


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncGenerator[Store]:
    (tmp_path / "canopy.db").write_bytes(empty_database())
    store = open_store(f"sqlite:///{tmp_path}/canopy.db", clock=clock)
    await store.start()
    yield store
    await store.close()


@pytest.fixture
def webhook() -> Webhook:
    return Webhook()


@pytest.fixture
def url(webhook: Webhook) -> Generator[str]:
    with answering(webhook) as address:
        yield f"{address}/services/{SECRET}"


async def _voted(store: Store, experiment: Experiment = EXPERIMENT, user: str = "ana", at: int = NOON) -> None:
    asked = {"experiment": experiment, "user_id": user, "created_at": at, "expires_at": at + HOUR}
    comparison = await a_comparison(store, **asked)
    await store.comparisons.record_ballot(a_ballot(comparison, "b", comment="A secret comment."))


async def test_a_decision_is_told_once_in_words_that_mention_nobody(
    store: Store, tmp_path: Path, url: str, webhook: Webhook, clock: Clock
) -> None:
    await _voted(store)
    one, two = (Process(store, tmp_path, url, clock) for _ in range(2))
    for process in (one, two, one):
        await process.work()
    (question,) = webhook.asked
    assert (question.method, question.target) == ("POST", f"/services/{SECRET}")
    assert "content-type: application/json" in question.headers.lower()
    (text,) = webhook.texts
    assert text.startswith("Experiment on “Less &amp; &lt;better&gt;” (summarize): The votes that the experiment was ")
    assert "1 person has voted: 1 for Prompt B, 0 for Prompt A." in text
    assert text.endswith("`canopy promote --values FILE --backend URL --keep a` takes Prompt B out.")  # and no link
    for words in (EXPERIMENT.prompt_text, EXPERIMENT.prompt_b_text, "secret comment"):
        assert words not in text
    (sent,) = one.events("notification_sent")
    assert (sent["kind"], sent["experiment_id"], one.counted("decided", "sent")) == ("decided", EXPERIMENT.id, 1)
    assert SECRET not in (one.output.getvalue() + two.output.getvalue()).decode()


FAULTS: dict[str, tuple[Answer, str]] = {
    "it fails": ((500, {}, b""), "The webhook answered 500 Internal Server Error."),
    "it is gone": ((404, {}, b"no_service"), "The webhook answered 404 Not Found."),
    "it redirects": (
        (302, {"Location": "https://elsewhere.example/x?token=y"}, b""),
        "It redirects to https://elsewhere.example (302), which Canopy doesn't follow: put the right address into "
        "CANOPY_NOTIFICATIONS_URL.",
    ),
    "it is slow": ((200, {}, b""), "The webhook did not answer within 0.3 seconds."),
    "nothing listens": ((200, {}, b""), "Nothing listens at the webhook's address"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_one_line_with_its_cause_and_is_tried_again_until_it_is_over(
    store: Store, tmp_path: Path, url: str, webhook: Webhook, clock: Clock, fault: str
) -> None:
    webhook.answer, said = FAULTS[fault]
    webhook.slow = 1.0 if fault == "it is slow" else 0.0
    address = f"http://127.0.0.1:{_free_port()}/services/{SECRET}" if fault == "nothing listens" else url
    await _voted(store)
    process = Process(store, tmp_path, address, clock, timeout=0.3 if fault == "it is slow" else 20)
    await process.work()
    await process.work()  # not due yet
    (failed,) = process.events("notification_failed")
    assert failed["problem"].startswith(said)
    assert (failed["kind"], failed["failures"], failed["again_in_seconds"]) == ("decided", 1, 30)
    assert (process.counted("decided", "failed"), process.counted("decided", "sent")) == (1, 0)
    clock.now += 31_000_000
    await process.work()
    assert [it["again_in_seconds"] for it in process.events("notification_failed")] == [30, 60]
    webhook.answer, webhook.slow = (204, {}, b""), 0.0
    clock.now += 61_000_000
    started = Process(store, tmp_path, url, clock)
    await started.work()
    (sent,) = started.events("notification_sent")
    assert sent["failures"] == 2
    assert SECRET not in (process.output.getvalue() + started.output.getvalue()).decode()


@pytest.mark.parametrize(("asks", "waits"), [("90", 90), ("1", 30), ("86400", 3600), ("soon", 30)])
async def test_a_webhook_that_says_when_is_left_alone_so_long_but_an_hour_at_most(
    store: Store, tmp_path: Path, url: str, webhook: Webhook, clock: Clock, asks: str, waits: int
) -> None:
    await store.variants.begin(CHANGED, None)
    await store.variants.report_worse(CHANGED, Outcomes(10, 40), tell=True)
    await _voted(store)
    webhook.answer = (429, {"Retry-After": asks}, b"")
    process = Process(store, tmp_path, url, clock)
    await process.work()
    failed = process.events("notification_failed")
    assert {it["problem"] for it in failed} == {"The webhook answered 429 Too Many Requests."}
    assert {it["again_in_seconds"] for it in failed} == {waits}
    assert len(webhook.asked) == (1 if asks in ("90", "86400", "1") else 2)  # the other message waits as well
    clock.now += (waits - 2) * 1_000_000
    asked = len(webhook.asked)
    if waits > 30:
        await process.work()
        assert len(webhook.asked) == asked
    webhook.answer = (200, {}, b"ok")
    clock.now += 3_000_000
    await process.work()
    assert len(process.events("notification_sent")) == 2


async def test_after_a_day_of_faults_it_is_given_up(
    store: Store, tmp_path: Path, url: str, webhook: Webhook, clock: Clock
) -> None:
    webhook.answer = (500, {}, b"")
    await _voted(store)
    process = Process(store, tmp_path, url, clock)
    for _ in range(40):
        await process.work()
        clock.now += HOUR + 1_000_000
    waits = [it["again_in_seconds"] for it in process.events("notification_failed")]
    assert waits[:8] == [30, 60, 120, 240, 480, 960, 1920, 3600]
    assert (len(waits), waits[-1]) == (25, None)
    assert process.counted("decided", "given_up") == 1
    assert len(webhook.asked) == 25


async def test_a_week_without_anybody_new_is_told_once_of_each_silence(
    store: Store, tmp_path: Path, url: str, webhook: Webhook, clock: Clock
) -> None:
    experiment = an_experiment(rule=RULE._replace(max_decisive_votes=100))
    await _voted(store, experiment)
    process = Process(store, tmp_path, url, clock, origin="https://canopy.example.com")
    clock.now = NOON + 7 * 24 * HOUR
    await process.work()
    assert webhook.texts == []  # a week from the end of that day
    clock.now += 24 * HOUR
    for _ in range(2):
        await process.work()
    (text,) = webhook.texts
    assert text.startswith("Experiment on summarize: Nobody new has voted for a week")
    end = (
        '`canopy promote --values FILE --backend https://canopy.example.com --keep a --force --why "…"` takes Prompt B'
    )
    assert text.endswith(f"{end} out. See https://canopy.example.com/experiments/{experiment.id}")
    (line,) = process.events("experiment_stale")
    assert (line["experiment_id"], line["voters"], line["level"]) == (experiment.id, 1, "warning")
    await _voted(store, experiment, "ben", clock.now)
    await process.work()
    assert len(webhook.texts) == 1
    clock.now += 8 * 24 * HOUR
    for it in (process, Process(store, tmp_path, url, clock)):
        await it.work()
    assert len(webhook.texts) == 2


@pytest.mark.parametrize("restarts", ["nowhere", "in the pause", "as it ends", "after it"])
async def test_a_pause_is_no_week_without_anybody_new(
    store: Store, tmp_path: Path, url: str, webhook: Webhook, clock: Clock, restarts: str
) -> None:
    def restarted(at: str, on: bool) -> Process:
        return Process(store, tmp_path, url, clock, comparing=on) if restarts == at else process

    await _voted(store, an_experiment(rule=RULE._replace(max_decisive_votes=100)))
    process = Process(store, tmp_path, url, clock)
    await process.compare(on=False)
    clock.now += 10 * 24 * HOUR
    process = restarted("in the pause", on=False)
    await process.work()
    process = restarted("as it ends", on=True)
    await process.compare(on=True)
    clock.now += 24 * HOUR
    process = restarted("after it", on=True)
    await process.work()
    assert webhook.texts == []
    clock.now += 6 * 24 * HOUR
    await process.work()
    await process.compare(on=False)
    await process.compare(on=True)
    await process.work()
    assert len(webhook.texts) == 1
    clock.now += 7 * 24 * HOUR
    await process.work()
    assert len(webhook.texts) == 2  # since it was let go on


async def test_a_silence_that_has_ended_before_the_webhook_heard_of_it_is_not_told(
    store: Store, tmp_path: Path, url: str, webhook: Webhook, clock: Clock
) -> None:
    experiment = an_experiment(rule=RULE._replace(max_decisive_votes=100))
    await _voted(store, experiment)
    process = Process(store, tmp_path, url, clock)
    webhook.answer = (500, {}, b"")
    clock.now = NOON + 8 * 24 * HOUR
    await process.work()
    webhook.answer = (200, {}, b"ok")
    await _voted(store, experiment, "ben", clock.now)
    clock.now += HOUR
    await process.work()
    assert len(webhook.texts) == 1
    assert process.events("notification_sent") == []


CHANGED = VariantInForce(
    feature="summarize",
    since=NOON,
    producer=PromptAndModel("sha256:two", "llama32"),
    change="promotion",
    former=PromptAndModel("sha256:one", "llama32"),
    before=Outcomes(80, 20),
    config_revision="revision-2",
    git_revision="c" * 40,
)


async def test_a_change_that_made_votes_worse_is_told_once(
    store: Store, tmp_path: Path, url: str, webhook: Webhook, clock: Clock
) -> None:
    await store.variants.begin(CHANGED, None)
    await store.variants.report_worse(CHANGED, Outcomes(10, 40), tell=True)
    webhook.answer = (500, {}, b"")
    process = Process(store, tmp_path, url, clock, origin="https://canopy.example.com")
    await process.sender.send_due()
    webhook.answer = (200, {}, b"ok")
    clock.now += 31_000_000
    for _ in range(2):
        await process.sender.send_due()
    _, text = webhook.texts
    said = "People are less satisfied than before the change: 20 % of 50, before it 80 % of 100."
    assert text.startswith(f"Promotion of summarize, commit cccccccccc: {said}")
    back = '`canopy rollback --values FILE --backend https://canopy.example.com --why "…"` takes the promotion back.'
    assert text.endswith(f"too. {back} See https://canopy.example.com/feedback?feature=summarize")
    (sent,) = process.events("notification_sent")
    assert (sent["kind"], sent["feature"], sent["experiment_id"]) == ("worse", "summarize", None)
    assert (process.counted("worse", "failed"), process.counted("worse", "sent")) == (1, 1)


async def test_what_the_values_leave_out_is_not_told_and_not_told_later(
    store: Store, tmp_path: Path, url: str, webhook: Webhook, clock: Clock
) -> None:
    await _voted(store)
    for changes in ({"events": ["stale"]}, {"enabled": False}, {}):
        process = Process(store, tmp_path, url, clock, **changes)
        await process.work()
    assert webhook.asked == []
    assert (await store.experiment_news.known()).keys() == {ExperimentNews(EXPERIMENT.id, "inconclusive")}


@pytest.mark.parametrize(
    "address",
    [
        "",
        "hooks.slack.com/services/x",
        "ftp://hooks.slack.com",
        "https://",
        "https://a b",
        "http://[::1",
        "http://x:0/y",
    ],
)
def test_what_is_no_address_is_refused_without_being_quoted(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        webhook_address(address)
    example = "`https://hooks.slack.com/services/…`"
    assert caught.value.sentence == f"CANOPY_NOTIFICATIONS_URL must be a webhook's address, such as {example}."


@pytest.mark.parametrize(
    ("written", "origin"), [("https://canopy.example.com/", "https://canopy.example.com"), ("", None)]
)
def test_where_people_reach_it_is_said_without_a_path(
    monkeypatch: pytest.MonkeyPatch, written: str, origin: str | None
) -> None:
    monkeypatch.setenv("CANOPY_PUBLIC_URL", written)
    assert Settings().public_url == origin
    for wrong in ("canopy.example.com", "https://canopy.example.com/path", "https://a b"):
        monkeypatch.setenv("CANOPY_PUBLIC_URL", wrong)
        with pytest.raises(ValidationError, match="must be an address without a path"):
            Settings()


def test_a_clouds_metadata_service_is_no_webhook() -> None:
    with pytest.raises(ConfigError, match="where clouds give out credentials"):
        webhook_address("http://169.254.169.254/latest")
    assert webhook_address(" https://hooks.example.com/x?token=y\n") == "https://hooks.example.com/x?token=y"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
