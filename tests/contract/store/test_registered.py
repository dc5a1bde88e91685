"""What the prompt registry gave is kept."""

from canopy.config.registered_prompts import PromptSource, RegisteredPrompt
from canopy.store.protocol import Store

CHAMPION = PromptSource("summary", None, "champion")
PINNED = PromptSource("summary", 3, None)


async def test_each_source_has_the_prompt_that_it_gave_last(store: Store) -> None:
    assert await store.remembered_prompts() == {}
    three = RegisteredPrompt("summary", 3, "Three. 🌱")
    await store.remember_prompts({CHAMPION: three, PINNED: three})
    await store.remember_prompts({CHAMPION: RegisteredPrompt("summary", 4, "Four.")})
    await store.remember_prompts({})
    assert await store.remembered_prompts() == {
        CHAMPION: RegisteredPrompt("summary", 4, "Four."),
        PINNED: three,
    }
