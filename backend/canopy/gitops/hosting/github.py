"""GitHub's API, also that of GitHub Enterprise: https://docs.github.com/en/rest/pulls/pulls."""

from collections.abc import Mapping, Sequence
from typing import Any, override

from canopy.gitops.hosting.forge import Forge, Question, in_path

_VERSION = "2022-11-28"


class GitHub(Forge):
    """Asks GitHub."""

    scope = "the permission `Pull requests: Read and write` (a classic token: the scope `repo`)"
    tokens = "/settings/personal-access-tokens"

    @override
    def headers(self, token: str) -> dict[str, str]:
        accepted = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": _VERSION}
        return {"Authorization": f"Bearer {token}", **accepted}

    @override
    def creation(self, branch: str, base: str, title: str, body: str) -> Question:
        return f"{self._repository}/pulls", {"head": branch, "base": base, "title": title, "body": body}

    @override
    def search(self, branch: str, base: str, page: int) -> Question:
        wanted = {"head": f"{self.host.owner}:{branch}", "base": base}
        return f"{self._repository}/pulls", {"state": "open", **wanted, "per_page": 100, "page": page}

    @override
    def is_from_to(self, entry: Mapping[str, Any], branch: str, base: str) -> bool:
        head, into = entry.get("head"), entry.get("base")
        if not isinstance(head, dict) or not isinstance(into, dict):
            return False
        label = str(head.get("label", "")).lower()  # whose branch: the list has those of forks, too
        return (label, into.get("ref")) == (f"{self.host.owner}:{branch}".lower(), base)

    @override
    def says_exists(self, status: int, words: str) -> bool:
        return status == 422 and "already exists" in words

    @override
    def parts(self, branch: str, base: str) -> Sequence[tuple[str, str]]:
        return [(self._repository, self.missing_repository())]

    @override
    def own_sentence(self, status: int, words: str, answer: Any, headers: Mapping[str, str]) -> str | None:
        if "x-github-sso" in headers or "SAML" in words:
            return (
                f"{self.host.owner} wants tokens that its single sign-on knows (403): authorize the one in "
                f"CANOPY_GIT_TOKEN at {self.host.web}/settings/tokens with “Configure SSO”."
            )
        if status == 403 and "archived" in words:
            return f"{self.host.repository} is archived at {self.host.name}, so that nothing in it can change."
        if status == 403 and "not accessible by" in words:
            return (
                f"The token in CANOPY_GIT_TOKEN may not open pull requests in {self.host.repository} (403): make one "
                f"for {self.host.owner} with {self.scope} at {self.host.web}{self.tokens}."
            )
        if status == 404:
            return (
                f"The token in CANOPY_GIT_TOKEN sees {self.host.repository}, but may not open pull requests there "
                f"(404): make one with {self.scope} at {self.host.web}{self.tokens}."
            )
        return self._of_the_branches(answer, words) if status == 422 else None

    def _of_the_branches(self, answer: Any, words: str) -> str | None:
        if "No commits between" in words:
            return "The branch has no commit that the base lacks: there is nothing to merge."
        errors = answer.get("errors") if isinstance(answer, dict) else None
        for error in errors if isinstance(errors, list) else ():
            match error:
                case {"field": "base", "code": "invalid"}:
                    return self.missing_branch("of that name to merge into", is_base=True)
                case {"field": "head", "code": "invalid"}:
                    return self.missing_branch("of that name to merge", is_base=False)
        return None

    @property
    def _repository(self) -> str:
        return f"/repos/{'/'.join(map(in_path, self.host.repository.split('/')))}"
