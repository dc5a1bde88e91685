"""The pages of prompt versions."""

import re
from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio

from canopy.generation.prompts import prompt_of
from canopy.store.opening import open_store
from tests.contract.store.records import HOUR, NOON, Clock, a_generation, a_vote
from tests.http.comparing import ab_values
from tests.http.conftest import ENVIRONMENT
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")
OLD = prompt_of("Summarize <b>at length</b>:")
NEW = prompt_of("Summarize <b>in brief</b>:")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[httpx.AsyncClient]:
    """A server with two versions: the former one disappointed 4 of 10, the one in force 2 of 20."""
    model.scripts.clear()
    folder = tmp_path_factory.mktemp("versions")
    store = open_store(f"sqlite:///{folder / 'canopy.db'}", clock=Clock())
    await store.start()
    for prompt, hour, bad, good in ((OLD, 0, 4, 6), (NEW, 30, 2, 18)):
        for number in range(bad + good):
            asked = a_generation(prompt_id=prompt.id, prompt_text=prompt.text, created_at=NOON + (hour + number) * HOUR)
            await store.generations.record(asked)
            rating = {"value": "thumbs_down", "sentiment": -1} if number < bad else {}
            await store.feedback.record(a_vote(asked, **rating))
    await store.close()
    values = ab_values(model, summarize={"model": "llama32", "prompt": NEW.text}, ab_testing={"enabled": False})
    async with (
        running_server(folder, values, env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20, headers={"accept": "text/html"}) as http,
    ):
        yield http


async def page(client: httpx.AsyncClient, path: str = "/feedback/versions", **query: object) -> str:
    """Its words: tags left out, white space as one space."""
    answer = await client.get(path, params=query or None)  # type: ignore[arg-type]  # lists are taken, too
    assert answer.status_code == 200, answer.text
    return " ".join(re.sub(r"<[^>]*>", " ", answer.text.split("<main")[1]).split())


async def test_the_list_says_what_is_in_force_and_when_each_was_used(client: httpx.AsyncClient) -> None:
    words = await page(client)
    new, old = words.index("in brief"), words.index("at length")
    assert new < old
    assert "In force: current, Prompt A" in words[:new]
    assert "In force" not in words[new:]
    assert "15 Jan 2027" in words[old:]
    assert "20 20 90 % 70 % to 97 %" in words
    assert "Ballots on two responses are no votes" in words
    assert "Choose two versions in the list" not in words
    assert "10 10 60 % 31 % to 83 %" in words


async def test_the_list_is_sorted_and_filtered(client: httpx.AsyncClient) -> None:
    worst = await page(client, sort="satisfaction", reverse="true")
    assert worst.index("at length") < worst.index("in brief")
    assert "in brief" not in await page(client, q="LENGTH")
    assert "No version matches." in await page(client, q="nothing like it")
    assert "Versions 1" in await page(client, prompt_id=OLD.id)
    narrowed = await page(client, since="2027-01-17")  # it was used before that, too
    assert "Versions 1" in narrowed
    assert "16 Jan 2027" in narrowed
    assert (await client.get("/feedback/versions", params={"sort": "beauty"})).status_code == 422
    assert (await client.get("/feedback/versions", params={"feature": "nothing"})).status_code == 422


async def test_two_versions_stand_side_by_side(client: httpx.AsyncClient) -> None:
    compare = [f"{NEW.id} llama32", f"{OLD.id} llama32"]
    words = await page(client, compare=compare)
    assert words.index(f"First: {OLD.id[7:15]}") < words.index(f"Second: {NEW.id[7:15]}")
    assert "No difference shows: the second may be up to 1 percentage point worse or up to 60 better." in words
    assert "+30.0 percentage points" in words
    assert "Different weeks bring different people and different texts" in words
    html = (await client.get("/feedback/versions", params={"compare": compare})).text
    assert "<del>at length</del>" in html
    assert "<ins>in brief</ins>" in html
    assert "<b>" not in html


@pytest.mark.parametrize(
    ("compare", "words"),
    [
        ([f"{NEW.id} llama32"], "Choose two versions in the list"),
        ([""], "Choose two versions in the list (“Compare” below each)"),  # what the button alone asks for
        ([f"{NEW.id} llama32", "sha256:gone llama32"], "isn&#39;t among these versions any more"),
    ],
)
async def test_it_takes_two(client: httpx.AsyncClient, compare: list[str], words: str) -> None:
    assert words.replace("&#39;", "'") in (await page(client, compare=compare)).replace("&#39;", "'")


async def test_a_version_has_a_page_of_its_own(client: httpx.AsyncClient) -> None:
    address = f"/feedback/versions/{OLD.id}"
    words = await page(client, address)
    assert "&lt;b&gt;at length&lt;/b&gt;" in words
    assert "Satisfaction over time" in words
    assert "Newest entries 10" in words
    assert "Ballots on two responses are no votes" in words
    assert "In force" not in words
    html = (await client.get(address)).text
    assert f'data-copy-link="{address}"' in html
    assert f'href="/feedback/entries?prompt_id={OLD.id.replace(":", "%3A")}"' in html
    newest = re.findall(r'href="(/feedback/fb_[^"]*)"', html)[0]
    assert f'<a href="{address.replace(":", "%3A")}"><code>{OLD.id}</code></a>' in (await client.get(newest)).text
    (beside,) = re.findall(r'href="([^"]*#side-by-side)"', html)
    assert "Two versions side by side" in await page(client, beside.replace("&amp;", "&"))
    assert "In force: current, Prompt A" in await page(client, f"/feedback/versions/{NEW.id}")


@pytest.mark.parametrize("prompt_id", ["sha256:nothing", "%00", "..%2F..%2Fetc"])
async def test_a_version_that_never_was_is_a_page_that_says_so(client: httpx.AsyncClient, prompt_id: str) -> None:
    answer = await client.get(f"/feedback/versions/{prompt_id}")
    assert answer.status_code == 404
    assert "<!doctype html>" in answer.text.lower()
