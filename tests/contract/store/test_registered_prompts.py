"""What the prompt registry gave is kept."""

from sqlalchemy import create_engine, insert

from canopy.config.registered_prompts import PromptSource, RegisteredPrompt
from canopy.store.store import Store
from canopy.store.tables import registered_prompts

CHAMPION = PromptSource("summary", None, "champion")
PINNED = PromptSource("summary", 3, None)


async def test_each_source_has_the_prompt_that_it_gave_last(store: Store) -> None:
    assert await store.registered_prompts.given_by("one") == {}
    three = RegisteredPrompt("summary", 3, "Three. 🌱")
    await store.registered_prompts.remember("one", {CHAMPION: three, PINNED: three})
    await store.registered_prompts.remember("one", {CHAMPION: RegisteredPrompt("summary", 4, "Four.")})
    await store.registered_prompts.remember("one", {})
    assert await store.registered_prompts.given_by("one") == {
        CHAMPION: RegisteredPrompt("summary", 4, "Four."),
        PINNED: three,
    }
    await store.registered_prompts.remember("one", {CHAMPION: None})
    assert await store.registered_prompts.given_by("one") == {PINNED: three}


async def test_what_one_registry_gave_is_no_others(store: Store) -> None:
    ones, others = RegisteredPrompt("summary", 3, "One's."), RegisteredPrompt("summary", 3, "The other's.")
    await store.registered_prompts.remember("one", {CHAMPION: ones, PINNED: ones})
    await store.registered_prompts.remember("other", {CHAMPION: others})
    assert await store.registered_prompts.given_by("other") == {CHAMPION: others}
    assert await store.registered_prompts.given_by("one") == {PINNED: ones}


async def test_what_an_earlier_version_kept_is_read_until_the_source_gives_something(
    store: Store, store_url: str
) -> None:
    engine = create_engine(store_url.replace("postgresql://", "postgresql+psycopg://"))
    row = {"reference": "summary@champion", "name": "summary", "source_alias": "champion", "version": 3, "text": "Old."}
    with engine.begin() as conn:
        conn.execute(insert(registered_prompts), row)
    engine.dispose()
    assert await store.registered_prompts.given_by(None) == {CHAMPION: RegisteredPrompt("summary", 3, "Old.")}
    assert await store.registered_prompts.given_by("one") == {}
    await store.registered_prompts.remember("one", {CHAMPION: RegisteredPrompt("summary", 3, "New.")})
    assert await store.registered_prompts.given_by(None) == {}
