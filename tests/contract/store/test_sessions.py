"""Sessions of browsers: bounded in time and in number, on both engines."""

from canopy.store.auth.sessions import Session
from canopy.store.store import Store
from tests.contract.store.records import HOUR, NOON, Clock


def a_session(digest: str, of: str = "ana", created_at: int = NOON) -> Session:
    return Session(digest, "ana", of, created_at, NOON + 12 * HOUR)


async def test_a_session_is_found_until_it_expires_or_is_ended(store: Store, clock: Clock) -> None:
    await store.sessions.begin(a_session("one"), 10)
    await store.sessions.begin(a_session("two"), 10)
    assert await store.sessions.find("one") == a_session("one")
    assert await store.sessions.find("none") is None
    await store.sessions.end("one")
    assert (await store.sessions.find("one"), await store.sessions.find("two")) == (None, a_session("two"))
    clock.now = NOON + 12 * HOUR
    assert await store.sessions.find("two") is None
    # It goes when the next one begins: at the same time again it would be found if it were there.
    await store.sessions.begin(a_session("three"), 10)
    clock.now = NOON
    assert await store.sessions.find("two") is None


async def test_the_oldest_sessions_of_a_token_make_room(store: Store) -> None:
    for number in range(5):
        await store.sessions.begin(a_session(f"s{number}", created_at=NOON + number), 3)
    await store.sessions.begin(a_session("other", of="ben"), 3)
    found = [number for number in range(5) if await store.sessions.find(f"s{number}")]
    assert found == [2, 3, 4]
    assert await store.sessions.find("other") is not None


async def test_sessions_end_with_their_token_and_with_their_user(store: Store) -> None:
    await store.sessions.begin(a_session("one"), 3)
    await store.sessions.begin(a_session("two", of="another"), 3)
    await store.sessions.end_of_other_tokens(frozenset({"another", "nobody"}))
    assert (await store.sessions.find("one"), await store.sessions.find("two") is not None) == (None, True)
    await store.deletion.erase(user_id="ana")
    assert await store.sessions.find("two") is None
