"""A ballot that finds both responses bad, as feedback on each: so export, list, search and erasure know of it.

The voter of that feedback is the comparison, since a comparison has one ballot. Nobody else can be that voter: people
are `user:…`, `session:…` or `anonymous`.
"""

from typing import Any

from canopy.store.experiments.experiment import AB_PREFERENCE, Ballot
from canopy.store.feedback.digests import slot_of
from canopy.store.feedback.vote import Vote


def votes(comparison: Any, ballot: Ballot) -> list[Vote]:
    """The feedback on the two generations of a comparison's row."""
    return [
        Vote(
            name=AB_PREFERENCE,
            kind="label",
            value="both_bad",
            sentiment=-1,
            feature=None,
            generation_id=generation_id,
            request_id=None,
            input_text=None,
            response_text=None,
            voter=comparison.id,
            user_id=ballot.user_id or comparison.user_id,
            session_id=ballot.session_id or comparison.session_id,
            comment=ballot.comment,
            reasons=ballot.reasons,
            config_revision=comparison.config_revision,
            source_id=ballot.user_id,
            user_proof=ballot.user_proof,
        )
        for generation_id in (comparison.generation_a, comparison.generation_b)
    ]


def slots(comparison: Any) -> list[str]:
    """Where the feedback of a comparison's row is, if there is any."""
    return [slot_of(key, comparison.id, AB_PREFERENCE) for key in (comparison.generation_a, comparison.generation_b)]
