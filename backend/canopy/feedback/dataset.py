"""Bad answers as evaluation tests, in the lab's YAML."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace

import yaml

from canopy.base.errors import InputError
from canopy.config.features import BUILT_IN, Feature
from canopy.store.feedback.query import Filter
from canopy.store.reviews.reviews import ReviewStore
from canopy.text.yaml_scalars import case_lines

FILE_NAME = "feedback-eval-dataset.yaml"


def head(feature: Feature) -> bytes:
    """Return everything that stands above the tests."""
    about = feature.title[:1].lower() + feature.title[1:]
    document = {
        "name": "feedback_eval_tests",
        "description": f"Tests generated from negative user feedback on {about}.",
        "endpoint": feature.endpoint,
        "scoring_params": {
            "llm-as-judge::base": {
                "judge_model": feature.model,
                "prompt_template": "judge_prompt.txt",
                "type": "llm_as_judge",
                "judge_score_regexes": ["Answer: (A|B|C|D|E)"],
            },
            "basic::subset_of": None,
        },
    }
    return yaml.safe_dump(document, sort_keys=False).encode()


def exported_feature(name: str | None, features: Mapping[str, Feature]) -> Feature:
    """Return the feature whose responses become tests; without a name, the built-in one.

    Raises InputError for one whose responses don't, and for one that is gone: nothing answers at its address.
    """
    exported = [feature.name for feature in features.values() if feature.exported]
    if name is not None and name not in exported:
        raise InputError(f"`feature` must be {' or '.join(f'`{it}`' for it in exported)} for an export.")
    return features[name or BUILT_IN]


def selection(where: Filter, features: Mapping[str, Feature]) -> Filter:
    """Return the filter of the feedback that becomes tests: without a rating, what is negative. Raises InputError."""
    sentiment = -1 if where.value is None and where.sentiment is None else where.sentiment
    return replace(where, feature=exported_feature(where.feature, features).name, sentiment=sentiment)


async def export(reviews: ReviewStore, where: Filter, features: Mapping[str, Feature]) -> AsyncGenerator[bytes]:
    """Yield the dataset in chunks: one test per distinct prompt of the matching feedback, oldest first.

    It is of one feature, since a suite has one endpoint. A test expects what a reviewer wrote. The same feedback and
    reviews always give the same bytes. Raises InputError as `selection` does, and StoreError; before the first chunk if
    the store fails at once.
    """
    chosen = selection(where, features)
    above = head(exported_feature(where.feature, features))
    lead = above + b"tests:\n"
    async for inputs in reviews.distinct_inputs(chosen):
        yield lead + "".join([case_lines(*it) for it in inputs]).encode()
        lead = b""
    if lead:
        yield above + b"tests: []\n"
