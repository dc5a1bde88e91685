"""Hosts of a Git repository: they serve it over HTTP, and take pull requests as each API's documentation says.

https://docs.gitea.com/api, https://docs.github.com/en/rest/pulls/pulls, https://docs.gitlab.com/api/merge_requests
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.answering import Answer, Question, answering

type Kind = Literal["gitea", "github", "gitlab"]

TOKEN = "t0k3n-of-the-bot"
READER = "t0k3n-that-reads"  # without the scope that opening takes
API: dict[Kind, str] = {"gitea": "/api/v1", "github": "/api/v3", "gitlab": "/api/v4"}


@dataclass
class Opened:
    """A pull request, at GitLab a merge request."""

    number: int
    head: str
    base: str
    title: str
    body: str
    url: str
    state: str = "open"  # or `closed`, `merged`
    of_fork: bool = False


@dataclass
class GitHost:
    """One repository at a host. What `instead` returns is answered in place of the API's own, unless it is None."""

    kind: Kind
    repository: str = "team/canopy"
    bare: Path | None = None  # the repository's folder; without one it has `branches` alone
    path: str = ""  # below which the host serves, such as `/gitea`
    branches: dict[str, str] = field(default_factory=lambda: {"main": "1" * 40, "promote/b": "2" * 40})
    opened: list[Opened] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    instead: Callable[[Question], Answer | None] = lambda _question: None
    moved_from: str | None = None  # a former name of the repository
    signs_in: bool = False  # whether nobody is told anything without a token
    archived: bool = False
    url: str = ""

    @property
    def remote(self) -> str:
        """The repository's URL, for Git."""
        return f"{self.url}{self.path}/{self.repository}.git"

    def merge(self, number: int) -> None:
        """Merge a pull request by moving its base forward, as somebody does on its page."""
        it = next(it for it in self.opened if it.number == number)
        assert self.bare is not None
        assert it.state == "open"
        _git(self.bare, "merge-base", "--is-ancestor", it.base, it.head)
        _git(self.bare, "update-ref", f"refs/heads/{it.base}", self.heads[it.head])
        it.state = "merged"

    @property
    def heads(self) -> dict[str, str]:
        """The commit of each branch."""
        if self.bare is None:
            return self.branches
        lines = _git(self.bare, "for-each-ref", "--format=%(refname:strip=2) %(objectname)", "refs/heads").splitlines()
        return dict(line.split(" ") for line in lines)

    def are_same(self, head: str, base: str) -> bool:
        """Whether the head has no commit that the base lacks."""
        if self.bare is None:
            return self.branches[head] == self.branches[base]
        return _git(self.bare, "rev-list", "--count", f"{base}..{head}") == "0"

    def open(self, head: str, base: str, title: str, body: str | None) -> Opened:
        page = {"gitea": "pulls", "github": "pull", "gitlab": "-/merge_requests"}[self.kind]
        number = len(self.opened) + 1
        url = f"{self.url}{self.path}/{self.repository}/{page}/{number}"
        self.opened.append(Opened(number, head, base, title, body or "", url))
        return self.opened[-1]

    def find(self, head: str | None, base: str | None) -> list[Opened]:
        wanted = [it for it in self.opened if it.state == "open"]
        return [it for it in wanted if (head is None or it.head == head) and (base is None or it.base == base)]

    def answer(self, question: Question) -> Answer:
        self.asked.append(question)
        place = urlsplit(question.target)
        if place.path.startswith(f"{self.path}/{self.repository}.git/"):
            return _git_over_http(self, question)
        if (other := self.instead(question)) is not None:
            return other
        api = f"{self.path}{API[self.kind]}"
        if not place.path.startswith(f"{api}/"):
            return 404, {"Content-Type": "text/html"}, b"<html>Nothing here.</html>"
        head = message_from_string(question.headers)
        call = Call(
            question.method,
            place.path.removeprefix(api),
            dict(parse_qsl(place.query)),
            {name.lower(): value for name, value in head.items()},
            json.loads(question.body) if question.body else {},
        )
        return {"gitea": _gitea, "github": _github, "gitlab": _gitlab}[self.kind](self, call)


@dataclass(frozen=True)
class Call:
    """A request to the API."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: dict[str, Any]


@contextmanager
def git_host(kind: Kind, **how: Any) -> Generator[GitHost]:
    """A host; `how` are fields of `GitHost`."""
    host = GitHost(kind, **how)
    with answering(host.answer) as url:
        host.url = url
        yield host


def told(status: int, content: object, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer in JSON."""
    return status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(content).encode()


def _gitea(host: GitHost, call: Call) -> Answer:  # noqa: PLR0911, PLR0912 - a table, one row per answer
    def refused(status: int, message: str, **more: object) -> Answer:
        return told(status, {"message": message, "url": f"{host.url}{host.path}/api/swagger", **more})

    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    known = scheme == "token" and token in (TOKEN, READER)
    if token and not known:
        return refused(401, "invalid username, password or token")
    if host.signs_in and not known:
        return told(403, {"message": "Only signed in user is allowed to call APIs."})
    if call.path == "/version":
        return told(200, {"version": "1.24.6"})
    its = f"/repos/{host.repository}"
    if host.moved_from and call.path.startswith(f"/repos/{host.moved_from}"):
        there = f"{host.path}{API['gitea']}{call.path.replace(host.moved_from, host.repository)}"
        return 307, {"Location": there}, b""
    nothing = refused(404, "The target couldn't be found.", errors=None)
    if call.path != its and not call.path.startswith(f"{its}/"):
        return nothing
    rest = call.path.removeprefix(its)
    if rest == "":
        return told(200, {"full_name": host.repository, "default_branch": "main"})
    if rest.startswith("/branches/"):
        name = unquote(rest.removeprefix("/branches/"))
        return told(200, {"name": name}) if name in host.heads else nothing
    if (call.method, rest) == ("GET", "/pulls"):
        size, page = int(call.query.get("limit", 30)), int(call.query.get("page", 1))
        return told(200, [_of_gitea(it) for it in host.find(None, None)[(page - 1) * size : page * size]])
    assert (call.method, rest) == ("POST", "/pulls"), call
    if not known:
        return refused(401, "token is required")
    if token == READER:
        return refused(403, "token does not have at least one of required scope(s): [write:repository]")
    if host.archived:
        return refused(423, f"{host.repository} is archived")
    head, base = call.body["head"], call.body["base"]
    if base not in host.heads or head not in host.heads:
        return refused(404, "The target couldn't be found.", errors=["BaseNotExist"])
    if host.are_same(head, base):
        return refused(422, "Invalid PullRequest: There are no changes between the head and the base")
    for it in host.find(head, base):
        if it.of_fork:
            continue
        ids = f"id: 90, issue_id: {it.number}, head_repo_id: 1, base_repo_id: 1"
        where = f"[{ids}, head_branch: {head}, base_branch: {base}]"
        return refused(409, f"pull request already exists for these targets {where}")
    return told(201, _of_gitea(host.open(head, base, call.body["title"], call.body["body"])))


def _of_gitea(it: Opened) -> dict[str, Any]:
    head = {"label": it.head, "ref": it.head, "repo_id": 2 if it.of_fork else 1}
    base = {"label": it.base, "ref": it.base, "repo_id": 1}
    return {
        "id": 90 + it.number,
        "number": it.number,
        "html_url": it.url,
        "state": it.state,
        "head": head,
        "base": base,
    }


def _github(host: GitHost, call: Call) -> Answer:  # noqa: PLR0911 - as above
    def refused(status: int, message: str, *errors: object, **headers: str) -> Answer:
        body = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return told(
            status, {**body, **({"errors": errors} if errors else {})}, {"X-GitHub-Request-Id": "A1:B2", **named}
        )

    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if "user-agent" not in call.headers:
        return refused(403, "Request forbidden by administrative rules.")
    known = scheme == "Bearer" and token in (TOKEN, READER)
    if token and not known:
        return refused(401, "Bad credentials")
    if call.path == "/meta":
        return refused(401, "Must authenticate to access this API.") if host.signs_in else told(200, META)
    its = f"/repos/{host.repository}"
    if host.moved_from and call.path.startswith(f"/repos/{host.moved_from}"):
        there = f"{host.url}{API['github']}/repositories/1/pulls"
        return told(307, {"message": "Temporary Redirect", "url": there}, {"Location": there})
    if not known or (call.path != its and not call.path.startswith(f"{its}/")):
        return refused(404, "Not Found")
    assert call.headers["x-github-api-version"] == "2022-11-28"
    if call.path == its:
        return told(200, {"full_name": host.repository, "default_branch": "main"})
    assert call.path == f"{its}/pulls"
    owner = host.repository.partition("/")[0]
    if call.method == "GET":
        of, _, head = call.query["head"].partition(":")
        found = [it for it in host.find(head, call.query["base"]) if it.of_fork or of == owner]
        return told(200, [_of_github(it, owner) for it in found] if call.query["page"] == "1" else [])
    if token == READER:
        accepted = {"X_Accepted_GitHub_Permissions": "pull_requests=write"}
        return refused(403, "Resource not accessible by personal access token", **accepted)
    if host.archived:
        return refused(403, "Repository was archived so is read-only.")
    head, base = call.body["head"], call.body["base"]
    invalid = [{"resource": "PullRequest", "field": name, "code": "invalid"} for name in ("base", "head")]
    wrong = [it for it, branch in zip(invalid, (base, head), strict=True) if branch not in host.heads]
    custom = {"resource": "PullRequest", "code": "custom"}
    if not wrong and host.are_same(head, base):
        wrong = [{**custom, "message": f"No commits between {base} and {head}"}]
    elif not wrong and any(not it.of_fork for it in host.find(head, base)):
        wrong = [{**custom, "message": f"A pull request already exists for {owner}:{head}."}]
    if wrong:
        return refused(422, "Validation Failed", *wrong)
    return told(201, _of_github(host.open(head, base, call.body["title"], call.body["body"]), owner))


META = {"verifiable_password_authentication": True, "installed_version": "3.17.2"}


def _of_github(it: Opened, owner: str) -> dict[str, Any]:
    head = {"label": f"{'stranger' if it.of_fork else owner}:{it.head}", "ref": it.head}
    base = {"label": f"{owner}:{it.base}", "ref": it.base}
    return {
        "id": 90 + it.number,
        "number": it.number,
        "html_url": it.url,
        "state": it.state,
        "head": head,
        "base": base,
    }


def _gitlab(host: GitHost, call: Call) -> Answer:  # noqa: PLR0911 - as above
    def refused(status: int, message: object) -> Answer:
        return told(status, {"message": message}, {"X-Gitlab-Meta": "{}"})

    token = call.headers.get("private-token", "")
    known = token in (TOKEN, READER)
    if (token and not known) or (call.path == "/version" and not known):
        return refused(401, "401 Unauthorized")
    if call.path == "/version":
        return told(200, {"version": "18.2.1", "revision": "abc"})
    name = unquote((re.match(r"/projects/([^/]+)", call.path) or [""])[0].removeprefix("/projects/"))
    if name == host.moved_from and call.method != "GET":
        return refused(405, "Non GET methods are not allowed for moved projects")
    if name != host.repository or not known:
        return refused(404, "404 Project Not Found")
    if not call.path.endswith("/merge_requests"):
        return told(200, {"path_with_namespace": host.repository})
    if call.method == "GET":
        assert call.query["state"] == "opened"
        found = host.find(call.query.get("source_branch"), call.query.get("target_branch"))
        return told(200, [_of_gitlab(it) for it in found] if call.query["page"] == "1" else [])
    if token == READER:
        description = "The request requires higher privileges than provided by the access token."
        return told(403, {"error": "insufficient_scope", "error_description": description, "scope": "api"})
    head, base = call.body["source_branch"], call.body["target_branch"]
    if host.archived:
        return refused(403, "403 Forbidden")
    missing = [branch for branch in (head, base) if branch not in host.heads]
    if missing:
        return refused(422, [f'Source branch "{missing[0]}" does not exist'])
    if not call.body["title"]:
        return refused(400, {"title": ["can't be blank"]})
    for it in host.find(head, base):
        if not it.of_fork:
            return refused(409, [f"Another open merge request already exists for this source branch: !{it.number}"])
    return told(201, _of_gitlab(host.open(head, base, call.body["title"], call.body["description"])))


def _of_gitlab(it: Opened) -> dict[str, Any]:
    places = {"source_project_id": 2 if it.of_fork else 1, "target_project_id": 1}
    branches = {"source_branch": it.head, "target_branch": it.base}
    return {"id": 90 + it.number, "iid": it.number, "web_url": it.url, "state": "opened", **places, **branches}


def _git_over_http(host: GitHost, question: Question) -> Answer:
    """Serve the repository by Git's own program, which anybody may push to as well."""
    assert host.bare is not None, "the host has no repository to serve"
    place, head = urlsplit(question.target), message_from_string(question.headers)
    variables = {
        "GIT_PROJECT_ROOT": str(host.bare.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "REMOTE_USER": "somebody",
        "REQUEST_METHOD": question.method,
        "PATH_INFO": f"/{host.bare.name}{place.path.removeprefix(f'{host.path}/{host.repository}.git')}",
        "QUERY_STRING": place.query,
        "CONTENT_TYPE": head.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(question.body)),
        "HTTP_CONTENT_ENCODING": head.get("Content-Encoding", ""),
        "GIT_PROTOCOL": head.get("Git-Protocol", ""),
    }
    done = subprocess.run(
        ["git", "http-backend"], input=question.body, env={**os.environ, **variables}, stdout=-1, check=True
    )
    lines, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.decode().split(": ", 1) for line in lines.split(b"\r\n"))
    return int(headers.pop("Status", "200").split(" ")[0]), headers, body


def _git(bare: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(bare), *words], stdout=-1, check=True, text=True)
    return done.stdout.strip()
