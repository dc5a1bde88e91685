"""Bad answers as evaluation tests, in the lab's YAML."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import yaml

from canopy.errors import InputError
from canopy.features import FEATURES
from canopy.store.base import Filter, Store
from canopy.yamltext import scalar


def head(judge_model: str) -> bytes:
    """Everything that stands above the tests."""
    document = {
        "name": "feedback_eval_tests",
        "description": "Tests generated from negative user feedback on summarization.",
        "endpoint": "/summarize",
        "scoring_params": {
            "llm-as-judge::base": {
                "judge_model": judge_model,
                "prompt_template": "judge_prompt.txt",
                "type": "llm_as_judge",
                "judge_score_regexes": ["Answer: (A|B|C|D|E)"],
            },
            "basic::subset_of": None,
        },
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode()


async def export(store: Store, where: Filter, judge_model: str) -> AsyncGenerator[bytes]:
    """The dataset in chunks: one test per distinct prompt of the matching feedback, oldest first.

    Without a rating in `where` only negative feedback counts. The same feedback always gives the same bytes. Raises
    InputError for a feature that has no such tests, and StoreError; before the first chunk if the store fails at once.
    """
    exported = [feature.name for feature in FEATURES.values() if feature.exported]
    feature = where.feature or exported[0]
    if feature not in exported:
        raise InputError(f"`feature` must be {' or '.join(f'`{name}`' for name in exported)} for an export.")
    sentiment = -1 if where.value is None and where.sentiment is None else where.sentiment
    lead = head(judge_model) + b"tests:\n"
    async for texts in store.distinct_inputs(replace(where, feature=feature, sentiment=sentiment)):
        yield lead + "".join(f'- prompt: {scalar(text)}\n  expected_result: ""\n' for text in texts).encode()
        lead = b""
    if lead:
        yield head(judge_model) + b"tests: []\n"
