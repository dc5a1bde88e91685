"""The backend is asked as its clients ask it, and every way in which an answer is none has its reason."""

import asyncio
import socket

import orjson
import pytest

from canopy.base.errors import ConfigError
from canopy.evals.results import Attempt
from canopy.evals.run.backend import Backend, checked_url
from tests.support.backend_server import DONE, Answer, FakeBackend, delta, event


async def asked(fake: FakeBackend, *answers: Answer, within: float = 10, retries: int = 1) -> Attempt:
    fake.answers["text"] = list(answers)
    async with Backend(fake.url, token=None, timeout=within, retries=retries) as backend:
        return await backend.ask("/summarize", "text")


async def test_an_answer_is_joined_from_its_events() -> None:
    async with FakeBackend() as fake:
        ignored = (b": keep-alive\n\n", b"data: nonsense\n\n", delta(""))
        attempt = await asked(fake, Answer((delta("Größe\u2028"), *ignored, delta("😀\r\n"), DONE)))
        assert (attempt.answer, attempt.error) == ("Größe\u2028😀\r\n", None)
        assert attempt.request_id == "4bf92f3577b34da6a3ce929d0e0e4736"
        assert (attempt.generation_id, attempt.output_tokens) == ("gen_1", 7)
        assert attempt.time_to_first_token is not None
        assert attempt.duration is not None
        assert 0 < attempt.time_to_first_token <= attempt.duration
        assert (fake.path, fake.headers["accept"]) == ("/summarize", "text/event-stream")
        assert "authorization" not in fake.headers


async def test_events_are_whole_however_the_bytes_arrive() -> None:
    stream = delta("one\u2028") + delta("😀") + DONE
    async with FakeBackend() as fake:
        attempt = await asked(fake, Answer(tuple(stream[i : i + 1] for i in range(len(stream)))))
        assert attempt.answer == "one\u2028😀"


async def test_a_token_and_a_path_before_the_endpoint_are_used() -> None:
    async with FakeBackend() as fake, Backend(f"{fake.url}/canopy", token="s3cret", timeout=10) as backend:
        await backend.ask("/summarize", "text")
        assert fake.path == "/canopy/summarize"
        assert fake.headers["authorization"] == "Bearer s3cret"


BUSY = b'{"detail": "The model is busy.", "code": "model_busy"}'


@pytest.mark.parametrize(
    ("answer", "answered", "reason"),
    [
        (Answer((delta("Half"),)), "Half", "The answer broke off: the stream ended without its `done` event."),
        (Answer((delta("Half"), b"data: [DONE]\n\n")), "Half", "The answer broke off: the stream ended without"),
        (Answer((delta("Half"),), cut=True), "Half", "The answer broke off: the connection failed."),
        (Answer((DONE,)), "", "The answer is empty."),
        (Answer((delta(" \n"), DONE)), " \n", "The answer is empty."),
        (
            Answer((delta("Half"), event(type="error", error="The model was silent.", code="model_timeout"))),
            "Half",
            "The backend broke off: The model was silent. (model_timeout)",
        ),
        (Answer((BUSY,), 502), "", "The backend answered with status 502 (model_busy): The model is busy."),
        (Answer((b"<html>",), 500, (), "text/html"), "", "The backend answered with status 500."),
        (Answer((b'{"detail": [{"input": "text"}]}',), 422), "", "The backend answered with status 422."),
        (Answer((), 307, (("Location", "/login"),)), "", "The backend answered with status 307."),
        (
            Answer((b'{"response": "x"}',), 200, (), "application/json"),
            "",
            "The backend answered with application/json",
        ),
        (Answer((BUSY,), 503, (("Retry-After", "0"),)), "", "The backend answered with status 503 (model_busy)"),
        (Answer((), 0, cut=True), "", "The backend closed the connection without an answer."),
    ],
)
async def test_what_is_no_answer_has_its_reason(answer: Answer, answered: str, reason: str) -> None:
    async with FakeBackend() as fake:
        attempt = await asked(fake, answer)
        assert attempt.answer == answered
        assert (attempt.error or "").startswith(reason)


async def test_an_answer_that_takes_too_long_is_none() -> None:
    async with FakeBackend() as fake:
        attempt = await asked(fake, Answer((delta("Half"),), hang=True), within=0.3)
        assert (attempt.answer, attempt.error) == ("Half", "The answer wasn't complete after 0.3 s.")


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_backend_is_asked_again_when_it_said(status: int) -> None:
    async with FakeBackend() as fake:
        attempt = await asked(fake, Answer((), status, (("Retry-After", "0"),)), Answer((delta("Here."), DONE)))
        assert (attempt.answer, attempt.error) == ("Here.", None)
        assert fake.asked == ["text", "text"]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_backend_is_waited_for_as_long_as_it_says_and_however_often(status: int) -> None:
    told: list[str] = []
    wait = Answer((BUSY,), status, (("Retry-After", "1"),))
    async with FakeBackend() as fake:
        fake.answers["text"] = [wait, wait, wait, Answer((delta("Here."), DONE))]
        async with Backend(fake.url, token=None, timeout=30, retries=1, tell=told.append) as backend:
            attempt = await backend.ask("/summarize", "text")
        assert (attempt.answer, attempt.error, attempt.unanswered) == ("Here.", None, False)
    waits = [sentence for sentence in told if sentence.startswith("Waiting 1 s, as the backend asks")]
    assert len(waits) == 3
    assert "and going on then. The backend answered with status" in waits[0]


async def test_a_backend_that_takes_evaluations_for_users_is_told_of_once() -> None:
    told: list[str] = []
    tested = {"prompt_id": "sha256:one", "model": "llama32", "parameters": {"temperature": 0}, "config_revision": "r"}
    async with FakeBackend() as fake, Backend(fake.url, token=None, timeout=30, tell=told.append) as backend:
        fake.answers["marked"] = [
            Answer((delta("Here."), event(type="done", generation_id="gen_1", evaluation=tested))),
        ]
        marked = await backend.ask("/summarize", "marked")
        assert fake.headers["x-canopy-purpose"] == "evaluation"
        assert marked.tested is not None
        assert marked.tested.model_dump() == tested
        assert told == []
        for _ in range(2):
            assert (await backend.ask("/summarize", "unmarked")).tested is None
    assert [sentence.partition(":")[0] for sentence in told] == ["The backend counts these questions as a user's"]


async def test_all_questions_wait_when_one_is_told_to() -> None:
    async with FakeBackend() as fake:
        fake.answers["first"] = [Answer((BUSY,), 429, (("Retry-After", "2"),)), Answer((delta("1"), DONE))]
        async with Backend(fake.url, token=None, timeout=10) as backend:
            first = asyncio.create_task(backend.ask("/summarize", "first"))
            async with asyncio.timeout(10):
                while not backend.waits:
                    await asyncio.sleep(0.01)
            await asyncio.gather(first, *(backend.ask("/summarize", f"{n}") for n in range(3)))
        assert fake.asked[0] == "first"
        assert sorted(fake.asked[1:]) == ["0", "1", "2", "first"]


def failed_with(code: str, status: int = 502) -> Answer:
    """Canopy's own account of why there is no answer."""
    return Answer((orjson.dumps({"detail": "A sentence.", "code": code}),), status, (), "application/json")


def broken_off(code: str) -> Answer:
    return Answer((delta("Half"), event(type="error", error="A sentence.", code=code)))


@pytest.mark.parametrize(
    "answer",
    [
        Answer((DONE,)),
        failed_with("model_reply_empty"),
        broken_off("model_reply_empty"),
        failed_with("model_content_filtered"),
        broken_off("model_content_filtered"),
        failed_with("prompt_too_long", 422),
        failed_with("invalid_input", 422),
        failed_with("body_too_large", 413),
    ],
)
async def test_what_the_model_made_of_the_text_is_its_answer(answer: Answer) -> None:
    async with FakeBackend() as fake:
        attempt = await asked(fake, answer)
        assert attempt.error
        assert not attempt.unanswered


PAGE = b"<!DOCTYPE html><html><title>Bad gateway</title></html>"


@pytest.mark.parametrize(
    "answer",
    [
        Answer((BUSY,), 429),
        Answer((BUSY,), 503),
        Answer((), 0, cut=True),
        Answer((delta("Half"),), cut=True),
        Answer((delta("Half"),)),
        *(Answer((PAGE,), status, (), "text/html") for status in (400, 408, 413, 422, 500, 502, 504, 520, 529)),
        Answer((), 302, (("Location", "/login"),)),
        Answer((b'{"error": "Unexpected endpoint or method."}',), 200, (), "application/json"),
        Answer((b'{"detail": [{"loc": ["body", "text"], "msg": "Field required"}]}',), 422, (), "application/json"),
        failed_with("feature_disabled", 404),
        *(failed_with(code) for code in ("model_error", "model_not_found", "model_reply_truncated", "of_a_later_one")),
        *(broken_off(code) for code in ("model_error", "model_timeout", "model_reply_truncated", "shutting_down")),
        failed_with("model_timeout", 504),
        failed_with("internal_error", 500),
    ],
)
async def test_whatever_stands_between_a_question_and_its_answer_says_nothing_of_it(answer: Answer) -> None:
    async with FakeBackend() as fake:
        assert (await asked(fake, answer)).unanswered


async def test_an_answer_that_did_not_come_in_time_says_nothing_of_it() -> None:
    async with FakeBackend() as fake:
        assert (await asked(fake, Answer((delta("Half"),), hang=True), within=0.3)).unanswered


async def test_a_gateway_without_a_backend_is_asked_again() -> None:
    async with FakeBackend() as fake:
        attempt = await asked(fake, Answer((PAGE,), 502, (), "text/html"), Answer((delta("Here."), DONE)))
        assert (attempt.answer, attempt.error) == ("Here.", None)


@pytest.mark.parametrize(
    ("answer", "path", "advice"),
    [
        (Answer((b'{"detail":"Not Found"}',), 404), "", "page, not the model server's."),
        (
            Answer((b'{"error":{"message":"File Not Found","code":404}}',), 404),
            "",
            "page, not the model server's.",
        ),
        (failed_with("not_found", 404), "/summarize", "without /summarize, /docs or another route behind it"),
        (failed_with("method_not_allowed", 405), "/docs", "without /summarize, /docs or another route behind it"),
        (Answer((PAGE,), 404, (), "text/html"), "", "--backend takes the address of Canopy's page, not"),
        (Answer((PAGE,), 200, (), "text/html"), "", "a proxy in front of it wants to know who asks."),
        (Answer((PAGE,), 407, (), "text/html"), "", "Give the proxy on the way its user in HTTP_PROXY"),
    ],
)
async def test_a_wrong_address_ends_the_run_at_once_with_the_right_one(answer: Answer, path: str, advice: str) -> None:
    async with FakeBackend() as fake, Backend(fake.url + path, token=None, timeout=10) as backend:
        fake.default = answer
        with pytest.raises(ConfigError) as refused:
            await backend.ask("/summarize", "text")
        assert advice in refused.value.sentence
        assert f"{path}/summarize" in refused.value.sentence or answer.status == 407
        assert fake.asked == ["text"]


async def test_a_backend_that_fails_to_say_what_it_is_ends_the_run() -> None:
    async with FakeBackend() as fake, Backend(fake.url, token=None, timeout=10, retries=0) as backend:
        fake.flags_answer = Answer((PAGE,), 502, (), "text/html")
        with pytest.raises(ConfigError, match=r"can't say what it is\. The backend answered with status 502\."):
            await backend.target()


_FORBIDDEN = b'{"detail": "Only reviewers may.", "code": "forbidden"}'
_UNKNOWN = b'{"detail": "This token is unknown.", "code": "unauthenticated"}'
_SIGN_IN = b'{"detail": "Sign in first. Use the address of the proxy, which asks you to.", "code": "unauthenticated"}'
_DIRECT = b'{"detail": "This is the way in of the proxy alone.", "code": "identity_refused"}'


@pytest.mark.parametrize(
    ("status", "body", "token", "advice"),
    [
        (
            401,
            _UNKNOWN,
            "old",
            "This token is unknown. Set CANOPY_EVALS_TOKEN to another token, one that may ask for answers.",
        ),
        (401, _UNKNOWN, None, "Set CANOPY_EVALS_TOKEN to a token that may ask for answers."),
        (403, _FORBIDDEN, "t", "Only reviewers may. Set CANOPY_EVALS_TOKEN to another token"),
        (
            401,
            _SIGN_IN,
            None,
            "Give --backend the proxy's address, and CANOPY_EVALS_TOKEN a bearer token that the proxy",
        ),
        (
            403,
            _DIRECT,
            None,
            "Give --backend the proxy's address, and CANOPY_EVALS_TOKEN a bearer token that the proxy",
        ),
        (403, b"<html>Sign in</html>", None, "a proxy in front of it wants to know who asks."),
        (401, b"", "t", "a proxy in front of it took no notice of the token."),
    ],
)
async def test_a_backend_that_lets_nobody_in_ends_the_run_with_what_to_do(
    status: int, body: bytes, token: str | None, advice: str
) -> None:
    async with FakeBackend() as fake, Backend(fake.url, token=token, timeout=10) as backend:
        fake.default = Answer((body,), status)
        with pytest.raises(ConfigError) as refused:
            await backend.ask("/summarize", "text")
        assert refused.value.sentence.startswith(f"The backend answered with status {status}")
        assert advice in refused.value.sentence
        assert fake.asked == ["text"]


async def test_a_backend_that_wants_too_long_a_pause_is_not_waited_for() -> None:
    async with FakeBackend() as fake:
        attempt = await asked(fake, Answer((BUSY,), 503, (("Retry-After", "3600"),)))
        assert (attempt.error or "").startswith("The backend answered with status 503")
        assert fake.asked == ["text"]


async def test_a_pause_may_be_named_by_a_date() -> None:
    async with FakeBackend() as fake:
        await asked(fake, Answer((BUSY,), 503, (("Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"),)))
        assert fake.asked == ["text"]


async def test_a_backend_that_starts_late_is_reached() -> None:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    async with Backend(f"http://127.0.0.1:{port}", token=None, timeout=10, retries=4) as backend:
        asking = asyncio.create_task(backend.ask("/summarize", "text"))
        await asyncio.sleep(0)
        async with FakeBackend(port):
            assert (await asking).error is None


async def test_a_backend_that_is_not_there_is_nobodys_failed_case() -> None:
    async with Backend("http://127.0.0.1:1", token=None, timeout=10, retries=0) as backend:
        for asking in (backend.target(), backend.ask("/summarize", "text")):
            with pytest.raises(ConfigError, match=r"at http://127\.0\.0\.1:1 can't be reached"):
                await asking


async def test_a_backend_gives_its_own_account_as_far_as_it_does() -> None:
    async with FakeBackend() as fake, Backend(fake.url, token=None, timeout=10) as backend:
        target = await backend.target()
        assert (target.url, target.config_revision, target.flags) == (fake.url, "0123456789ab", {"summarize": True})
        fake.flags = None
        assert (await backend.target()).config_revision is None


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8000",
        "ftp://host",
        "http://",
        "http://user:s3cret@host",
        "http://host/?token=s3cret",
        "http://user:s3cret",
    ],
)
def test_a_url_that_is_none_or_holds_a_secret_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigError, match="--backend") as refused:
        checked_url(url, "--backend")
    assert "s3cret" not in refused.value.sentence


def test_a_url_loses_its_last_slash() -> None:
    assert checked_url("https://host/canopy/", "--backend") == "https://host/canopy"
