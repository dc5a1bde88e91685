"""What a server takes of the evidence that it is told: it has no Git, so it makes the numbers again, and no more."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from pydantic import ValidationError

from canopy.base.clock import microseconds
from canopy.base.errors import BodyTooLarge, InputError
from canopy.gitops.evidence import PREDICATE_TYPE, Promotion, Statement, sha256
from canopy.gitops.recomputation import LONGEST_FINDING, MOST_FINDINGS, check_experiment, check_numbers
from canopy.store.experiments.promotions import ToldPromotion
from canopy.text.yaml_errors import findings_of

MOST_BYTES = 64_000  # of a statement, which has some 3,000
_MOST = 10_000_000  # of anything that is counted: what is computed of it must not take long
_STRONGEST = 10_000.0  # prior, as the values have it at most
_AHEAD = 300_000_000  # microseconds that another clock may be ahead
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


def accepted(
    git_revision: str, statement: Mapping[str, Any], findings: Sequence[str] | None, now: int
) -> ToldPromotion:
    """Return what is to be kept of the evidence of a commit.

    `findings` are what its verification in a repository found to be wrong; None: there was none. `now` is in
    microseconds. Raises InputError where it is none of Canopy's or its numbers don't hold, with the way out in its
    sentence, and BodyTooLarge.
    """
    if not _COMMIT.fullmatch(git_revision):
        raise InputError("Name the commit by its full id, 40 or 64 hexadecimal digits: Git shows it.")
    try:
        written = orjson.dumps(dict(statement))
    except orjson.JSONEncodeError:
        raise InputError("The statement has numbers, or characters, that no evidence of Canopy's has.") from None
    if len(written) > MOST_BYTES:
        raise BodyTooLarge(f"The statement has {len(written):,} bytes; the limit is {MOST_BYTES:,}.")
    if statement.get("predicateType", PREDICATE_TYPE) != PREDICATE_TYPE:
        raise InputError(
            f"The statement has another predicate type than `{PREDICATE_TYPE}`, which is the one that this server "
            "knows. Use the `canopy` of the server's version."
        )
    if any("\0" in text for text in _texts(statement)):
        raise InputError("The statement holds the character NUL, which no evidence of Canopy's does.")
    try:
        read = Statement.model_validate_json(written)
    except ValidationError as error:
        raise InputError(f"The statement is no evidence of Canopy's: {findings_of(error)}") from None
    predicate = read.predicate
    _require_numbers(predicate)
    it = predicate.experiment
    kept = read.written()
    return ToldPromotion(
        git_revision=git_revision,
        digest=sha256(kept),
        made_at=_made_at(predicate, now),
        action=predicate.action,
        feature=it.feature,
        experiment_id=it.id,
        prompt_id=it.prompt_id,
        prompt_b_id=it.prompt_b_id,
        findings=None if findings is None else tuple(it[:LONGEST_FINDING] for it in findings[:MOST_FINDINGS]),
        statement=kept.decode(),
    )


def _require_numbers(predicate: Promotion) -> None:
    """Raise InputError where what the statement says doesn't follow from its own counts."""
    it, counts = predicate.experiment, predicate.counts
    largest = max(
        *counts.model_dump().values(), it.rule.n_max, it.max_tokens, it.max_tokens_b or 0, *_observed(predicate)
    )
    if largest > _MOST or it.rule.prior > _STRONGEST:
        raise InputError(f"The statement has numbers that no experiment has: at most {_MOST:,} of anything.")
    try:
        wrong = [found.sentence for found in (check_experiment(it), *check_numbers(predicate)) if not found.right]
    except (ArithmeticError, ValueError):
        raise InputError("The statement has numbers of which nothing can be computed.") from None
    if wrong:
        raise InputError(f"The statement doesn't hold, so it isn't kept: {wrong[0]} `canopy verify` says more.")


def _observed(predicate: Promotion) -> Iterator[int]:
    for seen in predicate.observed:
        yield from (seen.positive, seen.negative)


def _made_at(predicate: Promotion, now: int) -> int:
    at = microseconds(datetime.fromisoformat(predicate.made_at))
    if not 0 <= at <= now + _AHEAD:
        raise InputError(
            "`predicate.made_at` is more than five minutes ahead of this server's clock, or long ago: is a clock wrong?"
        )
    return at


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in it, keys as well."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, its in value.items():
            yield key
            yield from _texts(its)
    elif isinstance(value, list):
        for its in value:
            yield from _texts(its)
