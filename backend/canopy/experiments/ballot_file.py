"""The form of a file of ballots, from which anybody can count again: JSON, one object on each line.

The first line says what the file is of, the last one how many lines lie between; each of those is a ballot, in the
order of time. There are no texts in it, and nobody's id.
"""

import hmac
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints

from canopy import __version__
from canopy.base.clock import iso, microseconds
from canopy.config.feature_values import Variant
from canopy.store.experiments.experiment import CastBallot, Experiment, Preference, Side, winner
from canopy.text import json_lines

_DIGITS: Final = 32  # hex digits of a hashed id: 128 bits, which no two share by chance
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def _moment(written: Any) -> int:
    """Return the microseconds of a time in the one form that times have here. Raises ValueError."""
    if not isinstance(written, str) or not _TIME.fullmatch(written):
        raise ValueError("is no time such as 2026-01-31T12:00:00.000000Z")
    return microseconds(datetime.fromisoformat(written))


Moment = Annotated[int, BeforeValidator(_moment), PlainSerializer(iso)]
Hashed = Annotated[str, StringConstraints(pattern=rf"^[0-9a-f]{{{_DIGITS}}}$")]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RuleLine(_Line):
    """The rule of decision, by the names that it has for clients."""

    alpha: float
    prior: float
    delta: float
    n_max: int


class HashingLine(_Line):
    """How ids were hashed: HMAC with SHA-256, whose key is the salt, cut to some hex digits."""

    algorithm: Literal["hmac-sha256"] = "hmac-sha256"
    hex_digits: Literal[32] = 32
    salt: Literal["random", "given"]
    salt_check: Hashed  # the same in exports with the same salt, which can be joined


class BallotHeader(_Line):
    """The first line."""

    canopy_ballots: Literal[1] = 1  # the form of the file
    experiment_id: str
    feature: str
    created_at: Moment
    prompt_id: str
    prompt_b_id: str
    model: str
    model_b: str | None = None  # only where variant B has another one
    rule: RuleLine
    canopy_version: str
    exported_at: Moment
    until: Moment | None  # ballots that were first cast after it are left out
    ids: HashingLine


class BallotLine(_Line):
    """A ballot. What counts of a voter is the first preference of the first ballot."""

    comparison: Hashed
    voter: Hashed
    voted_at: Moment  # when it was first cast
    updated_at: Moment  # of the preference in force
    first_preference: Preference  # before the ballot revealed which variant is which
    first: bool  # whether it is counted as the voter's first
    preference: Preference
    prompt_b_side: Side
    winning_prompt: Variant | None  # by the first preference
    passed_over: bool = False  # an earlier one than the one that is counted as the voter's first


class BallotEnd(_Line):
    """The last line: a file that broke off has none."""

    ballots: Annotated[int, Field(ge=0)]


class BallotFileWriter:
    """Writes a file of ballots, some at a time."""

    def __init__(
        self, experiment: Experiment, salt: bytes, *, given: bool, exported_at: int, until: int | None
    ) -> None:
        """`salt` is the key of the hashes, `given` whether a person chose it. Times are microseconds."""
        self._salt = salt
        self._ballots = 0
        self._waiting: set[str] = set()
        rule = experiment.rule
        self._header = BallotHeader.model_validate(
            {
                "experiment_id": experiment.id,
                "feature": experiment.feature,
                "created_at": iso(experiment.created_at),
                "prompt_id": experiment.prompt_id,
                "prompt_b_id": experiment.prompt_b_id,
                "model": experiment.model,
                "model_b": experiment.model_b,
                "rule": {
                    "alpha": rule.alpha,
                    "prior": rule.prior_strength,
                    "delta": rule.equivalence_margin,
                    "n_max": rule.max_decisive_votes,
                },
                "canopy_version": __version__,
                "exported_at": iso(exported_at),
                "until": None if until is None else iso(until),
                "ids": {"salt": "given" if given else "random", "salt_check": self._hashed("salt", "")},
            }
        )

    def begin(self, waiting: Iterable[str] = ()) -> bytes:
        """Return the first line. `waiting` are the keys of voters with ballots from before their counted first."""
        self._waiting = set(waiting)
        left_out = {"model_b"} if self._header.model_b is None else None
        return json_lines.dump(self._header.model_dump(mode="json", exclude=left_out)) + b"\n"

    def write(self, ballots: Iterable[CastBallot]) -> bytes:
        """Return the lines of the next ballots."""
        return b"".join(map(self._line, ballots))

    def end(self) -> bytes:
        """Return the last line."""
        return json_lines.dump({"ballots": self._ballots}) + b"\n"

    def _line(self, it: CastBallot) -> bytes:
        self._ballots += 1
        if it.is_first:
            self._waiting.discard(it.voter)
        line = {
            "comparison": self._hashed("comparison", it.comparison_id),
            "voter": self._hashed("voter", it.voter),
            "voted_at": iso(it.voted_at),
            "updated_at": iso(it.updated_at),
            "first_preference": it.first_preference,
            "first": it.is_first,
            "preference": it.preference,
            "prompt_b_side": it.prompt_b_side,
            "winning_prompt": winner(it.first_preference, it.prompt_b_side),
        }
        if it.voter in self._waiting:
            line["passed_over"] = True
        return json_lines.dump(line) + b"\n"

    def _hashed(self, kind: str, text: str) -> str:
        return hmac.digest(self._salt, f"{kind}:{text}".encode(), "sha256").hex()[:_DIGITS]
