"""GitLab's API: https://docs.gitlab.com/api/merge_requests. Its pull requests are merge requests."""

from collections.abc import Mapping, Sequence
from typing import Any, override

from canopy.gitops.hosting.forge import Forge, Question, in_path


class GitLab(Forge):
    """Asks GitLab."""

    scope = "the scope `api` and the role Developer or a higher one"
    tokens = "/-/user_settings/personal_access_tokens"
    number = "iid"
    url = "web_url"

    @override
    def headers(self, token: str) -> dict[str, str]:
        return {"PRIVATE-TOKEN": token, "Accept": "application/json"}

    @override
    def creation(self, branch: str, base: str, title: str, body: str) -> Question:
        wanted = {"source_branch": branch, "target_branch": base, "title": title, "description": body}
        return f"{self._project}/merge_requests", wanted

    @override
    def search(self, branch: str, base: str, page: int) -> Question:
        wanted = {"source_branch": branch, "target_branch": base}
        return f"{self._project}/merge_requests", {"state": "opened", **wanted, "per_page": 100, "page": page}

    @override
    def is_from_to(self, entry: Mapping[str, Any], branch: str, base: str) -> bool:
        here = entry.get("source_project_id") == entry.get("target_project_id")  # and not from a fork
        return here and (entry.get("source_branch"), entry.get("target_branch")) == (branch, base)

    @override
    def says_exists(self, status: int, words: str) -> bool:
        return status in (400, 409) and "already exists" in words

    @override
    def parts(self, branch: str, base: str) -> Sequence[tuple[str, str]]:
        return [(self._project, self.missing_repository())]

    @override
    def own_sentence(self, status: int, words: str, answer: Any, headers: Mapping[str, str]) -> str | None:
        if status == 405 and "moved" in words:
            return self.moved(status)
        if isinstance(answer, dict) and answer.get("error") == "insufficient_scope":
            return (
                f"The token in CANOPY_GIT_TOKEN may not open merge requests at {self.host.name} (403): make one with "
                f"{self.scope} at {self.host.web}{self.tokens}."
            )
        if "does not exist" in words:
            return (
                f"{self.host.name} lacks a branch ({words}): push it first, or let the merge request go into another."
            )
        return None

    @property
    def _project(self) -> str:
        return f"/projects/{in_path(self.host.repository)}"
