"""How much memory the texts of a record take while it waits to be written.

A text's own size is known without a look at it: one to four bytes for each character, whatever its encoding was.
"""

from sys import getsizeof

from canopy.store.experiments.experiment import Ballot
from canopy.store.feedback.vote import Vote
from canopy.store.generations.generation import Generation
from canopy.store.reviews.review import Review


def generation_size(it: Generation) -> int:
    """In bytes."""
    asked = (
        getsizeof(it.input_text)
        if it.messages is None
        else sum(getsizeof(text) for each in it.messages for text in each.values())
    )
    return asked + getsizeof(it.response_text)


def vote_size(it: Vote) -> int:
    """In bytes."""
    return getsizeof(it.input_text) + getsizeof(it.response_text) + getsizeof(it.comment)


def ballot_size(it: Ballot) -> int:
    """In bytes."""
    return getsizeof(it.comment)


def review_size(it: Review) -> int:
    """In bytes."""
    return getsizeof(it.input_text) + getsizeof(it.expected_result)
