"""Opens a pull request, or finds the one that is open already."""

from typing import Any

import httpx

from canopy.base.errors import GitHostError
from canopy.gitops.hosting.forge import Forge, PullRequest
from canopy.gitops.hosting.gitea import Gitea
from canopy.gitops.hosting.github import GitHub
from canopy.gitops.hosting.gitlab import GitLab
from canopy.gitops.hosting.hosts import COMMON_HEADERS, PEER, Host, HostKind
from canopy.gitops.hosting.refusals import Refusal, no_token, web_page
from canopy.outgoing.bodies import json_of
from canopy.outgoing.causes import explain
from canopy.outgoing.clients import async_client

_FORGES: dict[HostKind, type[Forge]] = {"gitea": Gitea, "github": GitHub, "gitlab": GitLab}
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)  # seconds; a host compares the branches before it answers
_PAGES = 20  # of open pull requests that are looked through at most


async def open_pull_request(
    host: Host, token: str | None, *, branch: str, base: str, title: str, body: str
) -> PullRequest:
    """Open a pull request from `branch` into `base`, both of the host's repository, or return the one that is open.

    Raises GitHostError, whose sentence never holds the token.
    """
    forge = _FORGES[host.kind](host)
    token = (token or "").strip()
    if not token.isascii() or not token.isprintable() or not token:
        raise no_token(forge, there=bool(token))
    if branch == base:
        raise GitHostError(f"The pull request would go from {branch} into itself: name another one with --branch.")
    async with async_client(host.api, timeout=_TIMEOUT, headers={**forge.headers(token), **COMMON_HEADERS}) as http:
        calls = _Calls(http, forge, token)
        path, content = forge.creation(branch, base, title, body)
        try:
            return forge.pull_request(await calls.ask("POST", path, json=content), existed=False)
        except Refusal as refusal:
            return await _found_or_explained(calls, forge, refusal, branch, base)


async def _found_or_explained(calls: "_Calls", forge: Forge, refusal: Refusal, branch: str, base: str) -> PullRequest:
    """Return the pull request that is open where a refusal says so. Raises GitHostError for any other."""
    if refusal.says_exists:
        try:
            found = await _open_one(calls, forge, branch, base)
        except Refusal as other:
            raise other.error() from None
        if found is not None:
            return found
    raise await _explained(calls, forge, refusal, branch, base) from None


async def _open_one(calls: "_Calls", forge: Forge, branch: str, base: str) -> PullRequest | None:
    for page in range(1, _PAGES + 1):
        path, params = forge.search(branch, base, page)
        answer = await calls.ask("GET", path, params=params)
        entries = [it for it in answer if isinstance(it, dict)] if isinstance(answer, list) else []
        for entry in entries:
            if forge.is_from_to(entry, branch, base):
                return forge.pull_request(entry, existed=True)
        if not entries:
            break
    return None


async def _explained(calls: "_Calls", forge: Forge, refusal: Refusal, branch: str, base: str) -> GitHostError:
    """Return the error for a refusal. Of a 404 the host is asked what of the three isn't there."""
    if refusal.status == 404:
        for path, sentence in forge.parts(branch, base):
            try:
                await calls.ask("GET", path)
            except Refusal as missing:
                return missing.error() if missing.status != 404 else GitHostError(sentence)
    return refusal.error()


class _Calls:
    """Asks one host. Raises Refusal for what it refuses, GitHostError for what isn't its answer."""

    def __init__(self, http: httpx.AsyncClient, forge: Forge, token: str) -> None:
        self._http = http
        self._forge = forge
        self._token = token

    async def ask(self, method: str, path: str, **content: Any) -> Any:
        """Return the JSON of the host's answer."""
        try:
            response = await self._http.request(method, path, **content)
        except httpx.RequestError as error:
            cause = explain(error, PEER, str(self._http.base_url))
            raise GitHostError(f"{self._forge.host.name} can't be asked for a pull request. {cause}") from error
        try:
            answer = json_of(response)
        except ValueError:
            answer = None
        if response.is_success:
            if not isinstance(answer, dict | list):
                raise web_page(self._forge, response)
            return answer
        if answer is None and not response.is_redirect and response.status_code < 429:
            raise web_page(self._forge, response)
        raise Refusal(self._forge, response, answer, self._token)
