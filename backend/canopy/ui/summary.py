"""What a page says of one response to whoever asked for it: the vote on it and what produced it, in words."""

from dataclasses import dataclass

from canopy.base.ratings import in_words
from canopy.config.feature_values import Variant
from canopy.store.experiments.experiment import BallotRow, Side
from canopy.store.feedback.query import Feedback
from canopy.store.generations.generation import Generation
from canopy.text.markdown import Node

VARIANT_WORDS: dict[Variant, str] = {"prompt": "the current prompt, Prompt A", "prompt_b": "the candidate, Prompt B"}


@dataclass(frozen=True, slots=True)
class OwnResponse:
    """Holds a response and what its author may know of it.

    `blind` says that it is one side of a comparison without a vote: nothing of what produced it is told. `prompt_shown`
    says whether the reader may read the prompt's text. `own` says whether the reader asked for it.
    """

    generation: Generation
    formatted: tuple[Node, ...] | None
    vote: Feedback | None
    ballot: BallotRow | None
    blind: bool
    prompt_shown: bool
    own: bool

    @property
    def side(self) -> Side | None:
        """Return which side of the voted comparison it is."""
        if self.ballot is None:
            return None
        return "a" if self.ballot.generation_a == self.generation.id else "b"

    @property
    def variant(self) -> Variant | None:
        """Return which of the compared prompts it came from, once a vote has revealed that."""
        if self.ballot is None:
            return None
        return "prompt_b" if self.side == self.ballot.prompt_b_side else "prompt"


def title_of(it: OwnResponse | None, noun: str) -> str:
    """Return the page's heading; with None, before it is known whose response it is."""
    return f"Your {noun}" if it is None or it.own else noun.capitalize()


def vote_sentence(it: OwnResponse) -> str:
    """Return what was voted on the response."""
    who = "You" if it.own else "Its author"
    if it.blind:
        voter = "your" if it.own else "their author's"
        return f"One of two responses that wait for {voter} vote. What produced it is said after that."
    if it.ballot is not None:
        return f"{who} {_preference(it, it.ballot)}"
    if it.vote is None:
        return f"{who} {'have' if it.own else 'has'} not voted on it."
    reasons = ", ".join(in_words(reason).lower() for reason in it.vote.reasons)
    verdict = {1: "said that it helped", 0: "voted on it", -1: "said that it did not help"}[it.vote.sentiment]
    return f"{who} {verdict}{f': {reasons}' if reasons else ''}."


def _preference(it: OwnResponse, ballot: BallotRow) -> str:
    name = {"a": "Response A", "b": "Response B"}
    this = f"{name[it.side or 'a']}, from {VARIANT_WORDS[it.variant or 'prompt']}"
    if ballot.preference == "tie":
        return f"found both responses equally good. This was {this}."
    if ballot.preference == "both_bad":
        return f"found both responses bad. This was {this}."
    if ballot.preference == it.side:
        return f"preferred it: this was {this}."
    return f"preferred {name[ballot.preference]}. This was {this}."


def producer_sentence(generation: Generation, feature: str) -> str:
    """Return what produced the response, as a sentence or three."""
    asked, tokens = generation.parameters, generation.output_tokens
    limits = f"temperature {asked['temperature']:g}, at most {asked['max_tokens']:,} tokens"
    made = "" if tokens is None else f"{tokens:,} token{'' if tokens == 1 else 's'} in "
    ended = {
        "completed": "",
        "cancelled": " It was stopped before it was complete.",
        "failed": " It broke off.",
    }[generation.status]
    return f"The model {generation.model} wrote it for {feature} ({limits}): {made}{generation.duration:.1f} s.{ended}"
