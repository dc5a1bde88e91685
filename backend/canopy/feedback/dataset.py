"""Exports negative feedback as an evaluation suite, in the YAML format of the lab."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace

import yaml

from canopy.base.errors import InputError
from canopy.config.features import BUILT_IN, Feature, canonical_name
from canopy.store.feedback.query import Filter
from canopy.store.reviews.reviews import ReviewStore
from canopy.text.yaml_scalars import case_lines


def file_name(feature: Feature) -> str:
    """Return the name of the file in which a feature's export is saved: for the built-in one the lab's."""
    return f"feedback-eval-dataset{'' if feature.name == BUILT_IN else f'-{feature.name}'}.yaml"


def head(feature: Feature) -> bytes:
    """Return the suite's YAML up to its list `tests`, encoded in UTF-8."""
    built_in = feature.name == BUILT_IN  # whose name and description are the lab's
    about = feature.title.lower() if built_in else feature.title
    document = {
        "name": f"feedback_eval_tests{'' if built_in else f'_{feature.name}'}",
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
    """Return the feature with this name, or the built-in one without a name.

    Raises InputError if its responses can't become tests, or if it doesn't exist any more: no endpoint could be tested.
    """
    exported = {feature.name: feature for feature in features.values() if feature.exported}
    feature = exported.get(canonical_name(name or BUILT_IN))
    if feature is None:
        raise InputError(f"`feature` must be {' or '.join(f'`{it}`' for it in exported)} for an export.")
    return feature


def selection(where: Filter, features: Mapping[str, Feature]) -> Filter:
    """Return the filter for feedback to export, which is negative unless `where` has a rating. Raises InputError."""
    sentiment = -1 if where.value is None and where.sentiment is None else where.sentiment
    return replace(where, feature=exported_feature(where.feature, features).name, sentiment=sentiment)


async def export(reviews: ReviewStore, where: Filter, features: Mapping[str, Feature]) -> AsyncGenerator[bytes]:
    """Yield the suite in chunks: one test per distinct input text of the matching feedback, oldest first.

    A suite has one endpoint, so it covers one feature. `expected_result` is what a reviewer wrote. Equal feedback and
    reviews give equal bytes. Raises InputError as `selection` does, and StoreError.
    """
    selected = selection(where, features)
    header = head(exported_feature(where.feature, features))
    lead = header + b"tests:\n"
    async for inputs in reviews.distinct_inputs(selected):
        yield lead + "".join([case_lines(*it) for it in inputs]).encode()
        lead = b""
    if lead:
        yield header + b"tests: []\n"
