"""A Git remote is read in every form that Git takes, and what it holds of credentials goes nowhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canopy.base.errors import GitHostError
from canopy.gitops.hosting.hosts import Host, host_of
from canopy.gitops.hosting.remotes import parse_remote

GITHUB = Host("github", "https://github.com", "https://api.github.com", "team/canopy")
GITLAB = Host("gitlab", "https://gitlab.com", "https://gitlab.com/api/v4", "group/sub/canopy")


@pytest.mark.parametrize(
    ("remote", "host"),
    [
        ("https://github.com/team/canopy.git", GITHUB),
        ("https://github.com/team/canopy", GITHUB),
        ("https://GitHub.com/team/canopy/", GITHUB),
        ("https://bot:gh_s3cret@github.com/team/canopy.git/", GITHUB),
        ("https://gh_s3cret@github.com:443/team/canopy.git", GITHUB),
        ("git@github.com:team/canopy.git", GITHUB),
        ("github.com:team/canopy", GITHUB),
        ("git@github.com:/team/canopy.git", GITHUB),
        ("ssh://git@github.com/team/canopy.git", GITHUB),
        ("ssh://git@ssh.github.com:443/team/canopy.git", GITHUB),
        ("git+ssh://git@github.com:22/team/canopy", GITHUB),
        ("git://github.com/team/canopy.git", GITHUB),
        (" https://github.com/team/canopy.git\n", GITHUB),
        (
            "https://octo.ghe.com/team/canopy",
            Host("github", "https://octo.ghe.com", "https://api.octo.ghe.com", "team/canopy"),
        ),
        ("https://gitlab.com/group/sub/canopy.git", GITLAB),
        ("git@gitlab.com:group/sub/canopy.git", GITLAB),
        ("http://gitlab.com/group/sub/canopy.git", GITLAB),  # a token never goes there in clear
        ("http://github.com:80/team/canopy", GITHUB),
        ("ssh://git@altssh.gitlab.com:443/group/sub/canopy.git", GITLAB),
        (
            "https://codeberg.org/team/canopy.git",
            Host("gitea", "https://codeberg.org", "https://codeberg.org/api/v1", "team/canopy"),
        ),
    ],
)
def test_a_host_that_is_known_by_its_name_is_not_asked(remote: str, host: Host) -> None:
    assert host_of(remote, None) == host


@pytest.mark.parametrize(
    ("remote", "kind", "host"),
    [
        (
            "https://git.example.com:8443/gitea/team/canopy.git",
            "gitea",
            Host(
                "gitea",
                "https://git.example.com:8443/gitea",
                "https://git.example.com:8443/gitea/api/v1",
                "team/canopy",
            ),
        ),
        (
            "ssh://git@git.example.com:2222/team/canopy.git",
            "gitea",
            Host("gitea", "https://git.example.com", "https://git.example.com/api/v1", "team/canopy"),
        ),
        (
            "http://[fd00::7]:3000/team/canopy",
            "gitea",
            Host("gitea", "http://[fd00::7]:3000", "http://[fd00::7]:3000/api/v1", "team/canopy"),
        ),
        (
            "git@[fd00::7]:team/canopy.git",
            "gitlab",
            Host("gitlab", "https://[fd00::7]", "https://[fd00::7]/api/v4", "team/canopy"),
        ),
        (
            "https://github.example.com/team/canopy.git",
            "github",
            Host("github", "https://github.example.com", "https://github.example.com/api/v3", "team/canopy"),
        ),
    ],
)
def test_what_the_person_says_of_a_host_holds(remote: str, kind: str, host: Host) -> None:
    assert host_of(remote, kind) == host  # type: ignore[arg-type]  # a kind, as the table has it


@pytest.mark.parametrize(
    "remote", ["/srv/git/canopy.git", "../canopy", "canopy.git", "file:///srv/canopy.git", "./a:b/c"]
)
def test_a_remote_on_this_machine_takes_no_pull_requests(remote: str) -> None:
    with pytest.raises(GitHostError, match="a folder on this machine"):
        parse_remote(remote)


SECRET = "gh_s3cret"


@pytest.mark.parametrize(
    "remote",
    [
        "",
        "https://",
        f"https://bot:{SECRET}@/team/canopy",
        f"https://bot:{SECRET}@host:port/team/canopy",
        f"https://bot:{SECRET}@[host/team/canopy",
        f"https://bot:{SECRET}@github.com/canopy",
        f"https://bot:{SECRET}@github.com/team/.git",
        f"https://bot:{SECRET}@github.com/team/../canopy",
        f"https://bot:{SECRET}@github.com/team/can%2Fopy",
        f"https://bot:{SECRET}@git hub.com/team/canopy",
        f"ftp://bot:{SECRET}@github.com/team/canopy",
        f"ext::sh -c {SECRET}",
        f"https://bot:{SECRET}@github.com/team/canopy/tree/main",
    ],
)
def test_what_is_no_address_of_a_repository_is_refused_without_being_quoted(remote: str) -> None:
    with pytest.raises(GitHostError) as refused:
        host_of(remote, "github")
    assert SECRET not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


WORDS = st.text(alphabet="abcABC019._-~", min_size=1, max_size=9).filter(lambda it: it.strip(".") and it != ".git")
SECRETS = st.text(alphabet="xyz789%:!$", min_size=6, max_size=12)


@given(WORDS, WORDS, SECRETS, st.sampled_from(["", "/", ".git", ".git/"]))
def test_owner_and_name_are_the_same_in_each_form(owner: str, name: str, secret: str, end: str) -> None:
    name = name.removesuffix(".git") or "x"
    forms = ("https://bot:{}@git.example.com/", "ssh://bot:{}@git.example.com:22/", "https://git.example.com/")
    found = {parse_remote(f"{form.format(secret)}{owner}/{name}{end}") for form in forms}
    found.add(parse_remote(f"git@git.example.com:{owner}/{name}{end}"))
    assert {(it.origin, it.segments) for it in found} == {("https://git.example.com", (owner, name))}
