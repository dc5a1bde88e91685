"""Gitea's API, which Forgejo has as well: https://docs.gitea.com/api, https://codeberg.org/api/swagger."""

from collections.abc import Mapping, Sequence
from typing import Any, override

from canopy.gitops.hosting.forge import Forge, Question, in_path

_PAGE = 50  # the most that Gitea gives at once unless it is told otherwise
_SCOPE_WORDS = "required scope"  # of a sentence that goes on with the scopes


class Gitea(Forge):
    """Asks Gitea or Forgejo."""

    scope = "the permission `repository: Read and Write` (the scope `write:repository`)"
    tokens = "/user/settings/applications"

    @override
    def headers(self, token: str) -> dict[str, str]:
        return {"Authorization": f"token {token}", "Accept": "application/json"}

    @override
    def creation(self, branch: str, base: str, title: str, body: str) -> Question:
        return f"{self._repository}/pulls", {"head": branch, "base": base, "title": title, "body": body}

    @override
    def search(self, branch: str, base: str, page: int) -> Question:
        return f"{self._repository}/pulls", {"state": "open", "limit": _PAGE, "page": page}

    @override
    def is_from_to(self, entry: Mapping[str, Any], branch: str, base: str) -> bool:
        head, into = entry.get("head"), entry.get("base")
        if not isinstance(head, dict) or not isinstance(into, dict):
            return False
        here = head.get("repo_id") == into.get("repo_id")  # and not from a fork
        return here and (head.get("ref"), into.get("ref")) == (branch, base)

    @override
    def says_exists(self, status: int, words: str) -> bool:
        return status == 409 and "already exists" in words

    @override
    def parts(self, branch: str, base: str) -> Sequence[tuple[str, str]]:
        branches = f"{self._repository}/branches"
        return [
            (self._repository, self.missing_repository()),
            (f"{branches}/{in_path(base)}", self.missing_branch(base, is_base=True)),
            (f"{branches}/{in_path(branch)}", self.missing_branch(branch, is_base=False)),
        ]

    @override
    def own_sentence(self, status: int, words: str, answer: Any, headers: Mapping[str, str]) -> str | None:
        if status == 423 or "archived" in words:
            return f"{self.host.repository} is archived at {self.host.name}, so that nothing in it can change."
        if status == 403 and _SCOPE_WORDS in words:
            return (
                f"The token in CANOPY_GIT_TOKEN may not open pull requests at {self.host.name} (403): make one with "
                f"{self.scope} at {self.host.web}{self.tokens}."
            )
        if "no changes between" in words:
            return "Both branches are the same: there is nothing to merge."
        return None

    @property
    def _repository(self) -> str:
        return f"/repos/{'/'.join(map(in_path, self.host.repository.split('/')))}"
