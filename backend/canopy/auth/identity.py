"""People and programs that Canopy knows, and what each may do."""

from dataclasses import dataclass
from typing import Literal

from canopy.store.voters import Proof, voter_of

type Role = Literal["user", "evaluator", "reviewer"]

_ROLES: tuple[Role, ...] = ("user", "evaluator", "reviewer")  # each may what those before it may


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody. `user` is the `user_id` of all that they ask and of all that they vote."""

    user: str
    role: Role
    proof: Proof

    @property
    def voter(self) -> str:
        """The key of their votes."""
        return voter_of(self.user, self.proof, None)

    def may(self, role: Role) -> bool:
        """Whether they have a role. A reviewer may do what evaluators may, and these what users may."""
        return _ROLES.index(role) <= _ROLES.index(self.role)
