"""Finds out which kind of host a Git remote is at, and where its API is. No token goes along."""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urljoin

import httpx

from canopy import __version__
from canopy.base.errors import GitHostError
from canopy.gitops.hosting.remotes import Remote, parse_remote
from canopy.outgoing.bodies import json_of
from canopy.outgoing.causes import Peer, explain, redirection
from canopy.outgoing.clients import client
from canopy.text.addresses import origin

type HostKind = Literal["gitea", "github", "gitlab"]

HOST_KINDS: Final[tuple[HostKind, ...]] = ("gitea", "github", "gitlab")
"""What can be told with `--host`; Forgejo is Gitea in all that matters here."""

# Compressed bodies have a lower bound (`canopy.outgoing.bodies`), which a page of pull requests can exceed.
COMMON_HEADERS: Final = {"User-Agent": f"canopy/{__version__}", "Accept-Encoding": "identity"}
PEER: Final = Peer("the Git host", "the remote's URL")

_KNOWN: dict[str, HostKind] = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "codeberg.org": "gitea",
    "gitea.com": "gitea",
}
_GITHUB_CLOUD = re.compile(r"[a-z0-9-]+\.ghe\.com")  # of companies whose data stays in one region
_API: dict[HostKind, str] = {"gitea": "/api/v1", "github": "/api/v3", "gitlab": "/api/v4"}
_TIMEOUT = 10.0  # seconds for one question


@dataclass(frozen=True, slots=True)
class Host:
    """Describes a repository's host."""

    kind: HostKind
    web: str  # the address of its pages, without a slash at the end
    api: str  # of its API, alike
    repository: str  # `OWNER/NAME`, at GitLab with all groups

    @property
    def name(self) -> str:
        """Return the host's name with its port, as people call it."""
        return self.web.partition("://")[2]

    @property
    def owner(self) -> str:
        """Return whose repository it is."""
        return self.repository.partition("/")[0]


def host_of(remote_url: str, kind: HostKind | None) -> Host:
    """Return the host of a remote. `kind` is what the person says of it; None asks the host, unless its name tells.

    Raises GitHostError.
    """
    remote = parse_remote(remote_url)
    if remote.host in _KNOWN:
        remote = remote._replace(origin=f"https://{remote.host}")  # also where the remote says http: a token goes there
    kind = kind or _KNOWN.get(remote.host) or ("github" if _GITHUB_CLOUD.fullmatch(remote.host) else None)
    if kind == "github":
        return _github(remote)
    if kind is not None and (remote.host in _KNOWN or kind == "gitea" or len(remote.segments) == 2):
        return _below(remote, kind, _paths(remote)[-1] if kind == "gitea" else "")
    return _asked(remote, kind)


def _github(remote: Remote) -> Host:
    if len(remote.segments) != 2:
        raise GitHostError("The remote's path is no repository of GitHub's: it has an owner and a name, OWNER/NAME.")
    in_cloud = remote.host == "github.com" or _GITHUB_CLOUD.fullmatch(remote.host)
    web = f"https://{remote.host}" if in_cloud else remote.origin
    api = f"https://api.{remote.host}" if in_cloud else f"{remote.origin}{_API['github']}"
    return Host("github", web, api, "/".join(remote.segments))


def _below(remote: Remote, kind: HostKind, path: str) -> Host:
    """Return the host whose pages are below a path of the remote's origin."""
    repository = "/".join(remote.segments[path.count("/") :])
    return Host(kind, f"{remote.origin}{path}", f"{remote.origin}{path}{_API[kind]}", repository)


def _paths(remote: Remote) -> list[str]:
    """Return the paths below which the host may be, the shortest first: at GitLab they may be groups as well."""
    return ["".join(f"/{segment}" for segment in remote.segments[:n]) for n in range(len(remote.segments) - 1)]


def _asked(remote: Remote, told: HostKind | None) -> Host:
    paths = _paths(remote)
    with client(remote.origin, timeout=_TIMEOUT, headers={"Accept": "application/json", **COMMON_HEADERS}) as http:
        if told is None and _is_gitea(_answer(http, f"{paths[-1]}{_API['gitea']}/version")):
            return _below(remote, "gitea", paths[-1])
        for path in paths:
            if _is_gitlab(_answer(http, f"{path}{_API['gitlab']}/version")):
                return _below(remote, "gitlab", path)
        if told is not None:
            return _below(remote, told, "")
        if len(remote.segments) == 2 and _is_github(_answer(http, f"{_API['github']}/meta")):
            return _github(remote)
    raise GitHostError(
        f"{remote.origin} doesn't say whether it is Gitea (or Forgejo), GitHub or GitLab: say it with --host. If its "
        "pages are at another address, or below a path, give the remote that one over https://, with `git remote "
        "set-url`."
    )


def _answer(http: httpx.Client, path: str) -> httpx.Response:
    try:
        response = http.get(path)
    except httpx.RequestError as error:
        place = origin(str(http.base_url))
        cause = explain(error, PEER, str(http.base_url))
        raise GitHostError(f"{place} can't be asked what kind of Git host it is. {cause}") from error
    asked, location = str(response.url), response.headers.get("location")
    elsewhere = redirection(response.status_code, location, asked, PEER.setting)
    if elsewhere is not None and not leads_back(asked, location or ""):
        raise GitHostError(f"The Git host answers at another address. {elsewhere}")
    return response


def leads_back(asked: str, location: str) -> bool:
    """Return whether a redirect leads to where it came from: the same scheme, host and port."""
    try:
        return origin(urljoin(asked, location)) == origin(asked)
    except ValueError:
        return False


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = json_of(response)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _is_gitea(response: httpx.Response) -> bool:
    """Return whether Gitea has answered; where everybody has to sign in it is known by how it refuses."""
    answer = _json(response)
    if response.is_success:
        return isinstance(answer.get("version"), str)
    known = str(answer.get("message", "")).startswith("Only signed in user") or str(answer.get("url", "")).endswith(
        "/api/swagger"
    )
    return response.status_code in (401, 403) and known


def _is_gitlab(response: httpx.Response) -> bool:
    """Return whether GitLab has answered, which tells its version only to those who sign in."""
    answer = _json(response)
    if response.is_success:
        return isinstance(answer.get("version"), str)
    return "x-gitlab-meta" in response.headers or answer.get("message") == "401 Unauthorized"


def _is_github(response: httpx.Response) -> bool:
    """Return whether GitHub Enterprise has answered; in private mode it tells nothing without a token."""
    told = "verifiable_password_authentication" in _json(response) and response.is_success
    return told or "x-github-request-id" in response.headers or "x-github-enterprise-version" in response.headers
