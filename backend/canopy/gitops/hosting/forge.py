"""What a host of Git repositories is asked, and how its answers are read: each kind has a class of this form."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple
from urllib.parse import quote

from canopy.base.errors import GitHostError
from canopy.gitops.hosting.hosts import Host

type Question = tuple[str, dict[str, Any]]  # a path below the API's address, and what is sent


class PullRequest(NamedTuple):
    """Describes an open pull request; at GitLab it is a merge request."""

    url: str  # of its page
    number: int
    existed: bool  # whether it was open before


class Forge(ABC):
    """Knows the API of one kind of host."""

    scope: ClassVar[str]  # what a token must have to open pull requests
    tokens: ClassVar[str]  # the path of the page where people make tokens
    number: ClassVar[str] = "number"  # the fields of a pull request
    url: ClassVar[str] = "html_url"

    def __init__(self, host: Host) -> None:
        self.host = host

    @abstractmethod
    def headers(self, token: str) -> dict[str, str]:
        """Return the headers that sign in with a token."""

    @abstractmethod
    def creation(self, branch: str, base: str, title: str, body: str) -> Question:
        """Return how to ask for a new pull request."""

    @abstractmethod
    def search(self, branch: str, base: str, page: int) -> Question:
        """Return how to ask for a page of open pull requests, the first being 1; of these branches where it can."""

    @abstractmethod
    def is_from_to(self, entry: Mapping[str, Any], branch: str, base: str) -> bool:
        """Return whether an open pull request is from one branch into another of this repository."""

    @abstractmethod
    def says_exists(self, status: int, words: str) -> bool:
        """Return whether a refusal says that such a pull request is open."""

    @abstractmethod
    def parts(self, branch: str, base: str) -> Sequence[tuple[str, str]]:
        """Return what a 404 may be about, in this order: where to ask for it, and the sentence if it isn't there."""

    def own_sentence(self, status: int, words: str, answer: Any, headers: Mapping[str, str]) -> str | None:  # noqa: ARG002 - of those hosts that have any
        """Return the sentence on a refusal that only this kind of host has."""
        return None

    def pull_request(self, entry: Any, *, existed: bool) -> PullRequest:
        """Read an answer. Raises GitHostError for one without number and address."""
        number, url = (entry.get(self.number), entry.get(self.url)) if isinstance(entry, dict) else (None, None)
        if not isinstance(number, int) or not isinstance(url, str) or not url.startswith(("http://", "https://")):
            raise GitHostError(
                f"{self.host.name} answers, but with no pull request in the form of its API: look on its page whether "
                "one is open, and say with --host what kind of host it is."
            )
        return PullRequest(url, number, existed)

    def missing_repository(self) -> str:
        """Return the sentence on a repository that isn't there for this token."""
        return (
            f"{self.host.name} has no repository {self.host.repository} that the token in CANOPY_GIT_TOKEN may see "
            f"(404): check the remote's URL, and that the token has {self.scope}."
        )

    def moved(self, status: int) -> str:
        """Return the sentence on a repository that has another name or owner now."""
        return (
            f"{self.host.repository} has moved at {self.host.name} ({status}): look up its address there, and give the "
            "remote that one, with `git remote set-url`."
        )

    def missing_branch(self, branch: str, *, is_base: bool) -> str:
        """Return the sentence on a branch that isn't there."""
        fix = "let the pull request go into one that is there" if is_base else "push it first"
        return f"{self.host.repository} at {self.host.name} has no branch {branch}: {fix}."


def in_path(text: str) -> str:
    """Return a text as one part of a path, with its slashes encoded."""
    return quote(text, safe="")
