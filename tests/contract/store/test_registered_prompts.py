"""What the prompt registry gave is kept."""

from canopy.config.registered_prompts import PromptSource, RegisteredPrompt
from canopy.store.store import Store

CHAMPION = PromptSource("summary", None, "champion")
PINNED = PromptSource("summary", 3, None)


async def test_each_source_has_the_prompt_that_it_gave_last(store: Store) -> None:
    assert await store.registered_prompts.all() == {}
    three = RegisteredPrompt("summary", 3, "Three. 🌱")
    await store.registered_prompts.remember({CHAMPION: three, PINNED: three})
    await store.registered_prompts.remember({CHAMPION: RegisteredPrompt("summary", 4, "Four.")})
    await store.registered_prompts.remember({})
    assert await store.registered_prompts.all() == {
        CHAMPION: RegisteredPrompt("summary", 4, "Four."),
        PINNED: three,
    }
