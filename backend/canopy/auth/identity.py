"""Identities of signed-in people and programs, and their roles."""

from dataclasses import dataclass
from typing import Literal

from canopy.store.keys import Proof, voter_of

type Role = Literal["user", "evaluator", "reviewer"]

_ROLES: tuple[Role, ...] = ("user", "evaluator", "reviewer")  # each includes the permissions of those before it


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
        """Return whether they have a role. Reviewers are also evaluators, and evaluators also users."""
        return _ROLES.index(role) <= _ROLES.index(self.role)
