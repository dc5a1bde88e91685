"""Bad answers as evaluation tests, in the lab's YAML."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import yaml

from canopy.base.errors import InputError
from canopy.generation.features import FEATURES
from canopy.store.feedback.query import Filter
from canopy.store.store import Store
from canopy.text.yaml_scalars import case_lines


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
    return yaml.safe_dump(document, sort_keys=False).encode()


def exported_feature(name: str | None) -> str:
    """The feature, or the first one that becomes tests. Raises InputError for one that doesn't."""
    exported = [feature.name for feature in FEATURES.values() if feature.exported]
    if name is not None and name not in exported:
        raise InputError(f"`feature` must be {' or '.join(f'`{it}`' for it in exported)} for an export.")
    return name or exported[0]


def selection(where: Filter) -> Filter:
    """Which feedback becomes tests: without a rating in `where`, what is negative. Raises InputError as above."""
    sentiment = -1 if where.value is None and where.sentiment is None else where.sentiment
    return replace(where, feature=exported_feature(where.feature), sentiment=sentiment)


async def export(store: Store, where: Filter, judge_model: str) -> AsyncGenerator[bytes]:
    """The dataset in chunks: one test per distinct prompt of the matching feedback, oldest first.

    A test expects what a reviewer wrote. The same feedback and reviews always give the same bytes. Raises InputError
    as `selection` does, and StoreError; before the first chunk if the store fails at once.
    """
    chosen = selection(where)
    lead = head(judge_model) + b"tests:\n"
    async for inputs in store.reviews.distinct_inputs(chosen):
        yield lead + "".join([case_lines(*it) for it in inputs]).encode()
        lead = b""
    if lead:
        yield head(judge_model) + b"tests: []\n"
