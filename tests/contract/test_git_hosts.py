"""Pull requests are opened as each host's API says, and what it refuses becomes a sentence with a way out."""

import subprocess
import time
from pathlib import Path

import pytest

from canopy.base.errors import GitHostError
from canopy.gitops.hosting.forge import PullRequest
from canopy.gitops.hosting.hosts import HostKind, host_of
from canopy.gitops.hosting.pull_requests import open_pull_request
from tests.support.answering import Answer, Question
from tests.support.git_hosts import READER, TOKEN, GitHost, Opened, git_host, told

KINDS: list[HostKind] = ["gitea", "github", "gitlab"]
CONTENT = {"base": "main", "title": "Promote “B”", "body": "62 of 100 votes.\n\nWhy: it is *better*."}


async def opened(
    host: GitHost, token: str | None = TOKEN, branch: str = "promote/b", base: str = "main"
) -> PullRequest:
    place = host_of(host.remote, host.kind)
    return await open_pull_request(place, token, branch=branch, **{**CONTENT, "base": base})


async def refused(host: GitHost, token: str | None = TOKEN, branch: str = "promote/b", base: str = "main") -> str:
    with pytest.raises(GitHostError) as error:
        await opened(host, token, branch, base)
    sentence = str(error.value)
    assert sentence.endswith(".")
    for secret in filter(None, (TOKEN, READER, token)):
        assert secret not in sentence
    return sentence


@pytest.mark.parametrize("kind", KINDS)
async def test_a_pull_request_is_opened_once(kind: HostKind) -> None:
    with git_host(kind, repository="group/sub/canopy" if kind == "gitlab" else "team/canopy") as host:
        strangers = [Opened(n, "promote/b", "main", "", "", f"{host.url}/{n}", of_fork=True) for n in range(1, 61)]
        host.opened += strangers  # from branches of the same name, on more than one page
        first = await opened(host)
        assert first == PullRequest(host.opened[-1].url, 61, existed=False)
        assert (host.opened[-1].title, host.opened[-1].body) == (CONTENT["title"], CONTENT["body"])
        assert await opened(host) == first._replace(existed=True)
        assert len(host.opened) == 61
        host.opened[-1].state = "closed"
        assert (await opened(host)).number == 62


@pytest.mark.parametrize("signs_in", [False, True])
@pytest.mark.parametrize(
    ("kind", "path"), [("gitea", ""), ("gitea", "/forge"), ("github", ""), ("gitlab", ""), ("gitlab", "/forge")]
)
def test_the_host_is_asked_for_its_kind_without_the_token(kind: HostKind, signs_in: bool, path: str) -> None:
    with git_host(kind, path=path, signs_in=signs_in) as host:
        found = host_of(host.remote.replace("://", f"://bot:{TOKEN}@"), None)
        assert (found.kind, found.web, found.repository) == (kind, f"{host.url}{path}", "team/canopy")
        assert not any(TOKEN in it.headers or "authorization" in it.headers.lower() for it in host.asked)


def test_nested_groups_below_a_path_are_found() -> None:
    with git_host("gitlab", path="/forge", repository="group/sub/canopy") as host:
        for told_kind in (None, "gitlab"):
            found = host_of(host.remote, told_kind)
            assert (found.api, found.repository) == (f"{host.url}/forge/api/v4", "group/sub/canopy")


def test_a_server_that_is_none_of_them_is_to_be_named() -> None:
    with git_host("gitea") as host:
        host.instead = lambda _: (200, {"Content-Type": "text/html"}, b"<html>Welcome</html>")
        with pytest.raises(GitHostError, match="say it with --host"):
            host_of(host.remote, None)
        host.instead = lambda _: (302, {"Location": "https://sso.example.com/sign-in?s=1"}, b"")
        with pytest.raises(GitHostError, match=r"redirects to https://sso\.example\.com \(302\)"):
            host_of(host.remote, None)
        host.instead = lambda _: (301, {"Location": host.url.replace("http:", "https:")}, b"")
        with pytest.raises(GitHostError, match=r"redirects to https://127\.0\.0\.1:\d+ \(301\)"):
            host_of(host.remote, None)
        host.instead = lambda _: (302, {"Location": "http://[odd"}, b"")
        with pytest.raises(GitHostError, match="redirects to elsewhere"):
            host_of(host.remote, None)
    with pytest.raises(GitHostError, match="Nothing listens"):
        host_of(host.remote, None)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_token_is_the_first_thing_that_is_missed(kind: HostKind) -> None:
    scopes = {"gitea": "write:repository", "github": "Pull requests: Read and write", "gitlab": "scope `api`"}
    with git_host(kind) as host:
        for nothing in (None, "", " \n"):
            assert await refused(host, nothing) == (sentence := await refused(host, None))
        assert sentence.startswith(f"There is no token for {host.url.partition('//')[2]}: set CANOPY_GIT_TOKEN")
        assert "is no token" in await refused(host, "two\nlines")
        assert host.asked == []
        wrong = await refused(host, "expired-one")
        reading = await refused(host, READER)
        assert "wrong, expired or revoked" in wrong
        assert "may not open" in reading
        assert all(scopes[kind] in it and host.url in it for it in (sentence, wrong, reading))


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_not_there_is_told_apart(kind: HostKind) -> None:
    with git_host(kind, moved_from="team/former") as host:
        place = host.remote
        no_branch = await refused(host, branch="promote/unpushed")
        no_base = await refused(host, base="trunk")
        assert "push it first" in no_branch
        assert "go into" in no_base
        host.repository = "team/canopy"
        elsewhere = host_of(place.replace("team/canopy", "team/other"), kind)
        with pytest.raises(GitHostError, match="has no repository team/other that the token"):
            await open_pull_request(elsewhere, TOKEN, branch="promote/b", **CONTENT)
        moved = host_of(place.replace("team/canopy", "team/former"), kind)
        with pytest.raises(GitHostError, match=r"team/former has moved .* `git remote set-url`"):
            await open_pull_request(moved, TOKEN, branch="promote/b", **CONTENT)


@pytest.mark.parametrize("kind", KINDS)
async def test_there_has_to_be_something_to_merge(kind: HostKind) -> None:
    with git_host(kind, branches={"main": "1" * 40, "same": "1" * 40}) as host:
        assert "into itself" in await refused(host, branch="main")
        if kind != "gitlab":  # which opens it, to be filled later
            assert "there is nothing to merge" in await refused(host, branch="same")


@pytest.mark.parametrize("kind", KINDS)
async def test_an_archived_repository_is_told(kind: HostKind) -> None:
    with git_host(kind, archived=True) as host:
        sentence = await refused(host)
        assert "403: 403 Forbidden" in sentence if kind == "gitlab" else "is archived" in sentence


HTML = {"Content-Type": "text/html"}
RESET = 4_102_444_800  # the first second of 2100: names of tests must not depend on when they are made


@pytest.mark.parametrize(
    ("kind", "answer", "part"),
    [
        ("gitea", (200, HTML, b"<html>Sign in</html>"), "is not its API: a proxy or a page to sign in at"),
        ("gitlab", (403, HTML, b"<html>Blocked</html>"), "with status 403, is not its API"),
        ("github", (404, HTML, b"<html>Nothing</html>"), "the API is below another path"),
        ("gitea", (502, HTML, b"<html>Bad gateway</html>"), "answers with status 502: it fails, or is starting"),
        ("gitlab", told(500, {"message": "500 Internal Server Error"}), "answers with status 500"),
        (
            "gitea",
            (302, {"Location": "https://sso.example.com/?x=s3cret"}, b""),
            "redirects to https://sso.example.com",
        ),
        ("gitea", (302, {"Location": "/user/login"}, b""), "doesn't answer itself"),
        ("gitea", (301, {"Location": "https://git.example.com/api/v1/"}, b""), "put the right address into the remote"),
        ("gitea", told(201, {"number": 7}), "with no pull request in the form of its API"),
        ("gitea", told(201, ["no", "object"]), "with no pull request in the form of its API"),
        ("gitlab", told(201, {"iid": 7, "web_url": "javascript:alert(1)"}), "with no pull request in the form"),
        (
            "github",
            told(
                403,
                {"message": "API rate limit exceeded"},
                {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{RESET}"},
            ),
            f"try again after {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(RESET))}",
        ),
        (
            "github",
            told(403, {"message": "You exceeded a secondary rate limit."}, {"Retry-After": "60"}),
            "again in 60 s",
        ),
        ("gitlab", (429, {"Content-Type": "text/plain", "Retry-After": "9"}, b"Retry later\n"), "again in 9 s"),
        ("gitea", told(429, {"message": "Too Many Requests"}), "try again in some minutes"),
        ("gitlab", told(429, {}, {"RateLimit-Reset": "9" * 5000}), "try again in some minutes"),
        (
            "github",
            told(
                403, {"message": "Resource protected by organization SAML enforcement."}, {"X-GitHub-SSO": "required"}
            ),
            "authorize the one in CANOPY_GIT_TOKEN",
        ),
        ("gitea", told(404, {"message": "The target couldn't be found."}), "takes no pull requests there"),
        ("gitlab", told(404, {"message": "404 Not Found"}), "takes no pull requests there"),
        ("gitea", told(403, {"message": "branch is protected"}), "A rule of team/canopy at"),
        (
            "gitlab",
            told(400, {"message": {"title": ["is too long (maximum is 255 characters)"]}}),
            "(400): title is too long (maximum is 255 characters).",
        ),
        ("gitlab", told(400, {"error": "title is missing, source_branch is empty"}), "(400): title is missing"),
        ("gitea", told(409, {"message": f"odd \x1b[2J {TOKEN} " + "x" * 999}), "(409): odd"),
        ("gitea", told(409, {"message": "pull request already exists for these targets"}), "lists none that is open"),
        ("github", told(422, {"message": "Validation Failed", "errors": None}), "(422): Validation Failed"),
        ("github", told(418, [[[[[["deep"]]]]]]), "refuses the pull request (418)."),
    ],
)
async def test_every_refusal_has_its_cause(kind: HostKind, answer: Answer, part: str) -> None:
    def instead(question: Question) -> Answer | None:
        return answer if question.method == "POST" else None

    with git_host(kind, instead=instead) as host:
        sentence = await refused(host)
        assert part in sentence
        assert "\x1b" not in sentence
        assert "s3cret" not in sentence
        assert len(sentence) < 700


@pytest.mark.parametrize("kind", KINDS)
async def test_a_search_that_fails_has_its_cause_as_well(kind: HostKind) -> None:
    with git_host(kind) as host:
        await opened(host)
        host.instead = lambda question: told(500, {"message": "Oops"}) if question.method == "GET" else None
        assert "answers with status 500" in await refused(host)


async def test_a_host_that_is_gone_is_told_with_its_cause() -> None:
    with git_host("gitea") as host:
        pass
    assert "Nothing listens at the Git host's address" in await refused(host)


def test_the_host_serves_the_repository_and_merges(tmp_path: Path) -> None:
    def git(*words: str, folder: Path = tmp_path) -> str:
        identity = ["-c", "user.name=Bot", "-c", "user.email=bot@example.com", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    bare, clone = tmp_path / "bare.git", tmp_path / "clone"
    git("init", "-q", "--bare", "-b", "main", str(bare))
    with git_host("gitea", bare=bare) as host:
        git("init", "-q", str(clone))
        git("remote", "add", "origin", "https://127.0.0.1:1/team/former.git", folder=clone)
        git("remote", "set-url", "origin", host.remote, folder=clone)
        commits = []
        for branch in ("main", "promote/b"):
            git("checkout", "-q", "-B", branch, folder=clone)
            git("commit", "-q", "--allow-empty", "-m", branch, folder=clone)
            git("push", "-q", "origin", branch, folder=clone)
            commits.append(git("rev-parse", "HEAD", folder=clone))
        assert host.heads == {"main": commits[0], "promote/b": commits[1]}
        host.open("promote/b", "main", "Promote B", "")
        host.merge(1)
        assert git("ls-remote", host.remote, "refs/heads/main").split("\t")[0] == commits[1]
        assert (host.opened[0].state, host.are_same("promote/b", "main")) == ("merged", True)
