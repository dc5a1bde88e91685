"""Identities of signed-in people and programs, and their roles."""

from dataclasses import dataclass
from typing import Literal

from canopy.store.keys import Proof, voter_of

type Role = Literal["user", "evaluator", "controller", "reviewer"]

# Whose permissions each role has. A controller is no user: it reads decisions, and nothing of what people wrote.
_INCLUDED: dict[Role, frozenset[Role]] = {
    "user": frozenset({"user"}),
    "evaluator": frozenset({"user", "evaluator"}),
    "controller": frozenset({"controller"}),
    "reviewer": frozenset({"user", "evaluator", "controller", "reviewer"}),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """A signed-in person or program. `user` is the `user_id` of their generations and votes."""

    user: str
    role: Role
    proof: Proof

    @property
    def voter(self) -> str:
        """Return the key under which their votes are stored."""
        return voter_of(self.user, self.proof, None)

    def may(self, role: Role) -> bool:
        """Return whether they have a role. Evaluators are also users, and reviewers are everything."""
        return role in _INCLUDED[self.role]
