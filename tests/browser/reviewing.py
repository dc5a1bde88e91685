"""What tests of the review's page begin with, and where they look."""

import httpx
import yaml
from playwright.async_api import Page, expect

from tests.browser.conftest import Tab
from tests.browser.test_feedback import NASTY
from tests.support.server import Server

LONG = "An unbroken word " + "m" * 400 + " and a long text. " * 80


async def disappoint(server: Server) -> None:
    """Leave three texts that disappointed, none of them reviewed."""
    async with httpx.AsyncClient(base_url=server.url) as http:
        for entry in (await http.get("/feedback", params={"limit": 200})).json()["feedback"]:
            await http.delete(f"/feedback/{entry['id']}")
        votes = [
            {"input_text": LONG, "response_text": "Far too short.", "rating": 1, "comment": "Half of it is missing."},
            {"input_text": NASTY, "response_text": NASTY, "rating": "thumbs_down", "comment": NASTY},
            {
                "input_text": "A third text.",
                "response_text": "No.",
                "rating": "thumbs_down",
                "reasons": ["too_short"],
                "suggestion": "It is the third.",
            },
            {"input_text": "A fine text.", "response_text": "Fine.", "rating": "thumbs_up"},
        ]
        for vote in reversed(votes):  # the newest comes first
            assert (await http.post("/feedback", json=vote)).status_code == 200


async def begun(tab: Tab, path: str = "/feedback/review") -> Page:
    page = await tab.open(path)
    await expect(page.get_by_role("heading", name="1 of 3", exact=True)).to_be_visible()
    return page


async def exported(server: Server) -> list[str]:
    async with httpx.AsyncClient(base_url=server.url) as http:
        tests = yaml.safe_load((await http.get("/feedback/export")).content)["tests"]
    return [test["expected_result"] for test in reversed(tests)]  # the export's oldest comes first
