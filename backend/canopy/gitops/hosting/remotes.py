"""Reads the address of a Git remote in every form that `git remote add` takes, without what it holds of credentials."""

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from canopy.base.errors import GitHostError
from canopy.config.server_urls import HOST

_WEB = ("http", "https")
_OVER_SSH = ("ssh", "git+ssh", "ssh+git", "git")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# A path in front of the colon makes it a file's name, and so does a single letter: a drive.
_SCP_LIKE = re.compile(r"(?:[^@/\s]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@:/\s\[\]]{2,}):(?P<path>.+)", re.DOTALL)
# Names under which hosts take SSH on the port of HTTPS.
_FRONTS = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com", "altssh.bitbucket.org": "bitbucket.org"}
_NO_URL = (
    "The remote's URL is none that leads to a Git host: let `git remote set-url` make it one such as "
    "https://HOST/OWNER/REPOSITORY.git or git@HOST:OWNER/REPOSITORY.git."
)
_LOCAL = (
    "The remote is a folder on this machine, where nothing takes pull requests: push to a repository at Gitea, GitHub "
    "or GitLab, or leave --pull-request out."
)


class Remote(NamedTuple):
    """Says where a remote is. Over SSH the host's web pages have another port, which the remote doesn't know."""

    origin: str  # of its web pages: scheme, host and, where it has one of its own, port
    host: str  # in small letters
    segments: tuple[str, ...]  # of the path, without `.git`


def parse_remote(remote_url: str) -> Remote:
    """Return what a remote's URL says. Raises GitHostError, which never quotes it: it may hold a token."""
    url = remote_url.strip()
    if not url or any(ord(sign) < 0x21 or ord(sign) == 0x7F for sign in url):
        raise GitHostError(_NO_URL)
    if scheme := _SCHEME.match(url):
        return _of_url(scheme[1].lower(), url)
    if found := _SCP_LIKE.fullmatch(url):
        return _remote("https", found["host"], None, found["path"])
    raise GitHostError(_LOCAL)


def _of_url(scheme: str, url: str) -> Remote:
    if scheme == "file":
        raise GitHostError(_LOCAL)
    if scheme not in (*_WEB, *_OVER_SSH):
        raise GitHostError(_NO_URL)
    try:
        parsed = urlsplit(url)
        host, port = parsed.hostname or "", parsed.port
    except ValueError:
        raise GitHostError(_NO_URL) from None  # the cause quotes the URL
    host = f"[{host}]" if ":" in host else host
    return _remote(scheme, host, port, parsed.path) if scheme in _WEB else _remote("https", host, None, parsed.path)


def _remote(scheme: str, host: str, port: int | None, path: str) -> Remote:
    host = host.lower()
    host = _FRONTS.get(host, host)
    segments = [unquote(segment) for segment in path.split("/") if segment]
    if segments:
        segments[-1] = segments[-1].removesuffix(".git")
    odd = any(not it or it in {".", ".."} or re.search(r"[\x00-\x20/\\?#\x7f]", it) for it in segments)
    if odd or len(segments) < 2 or not re.fullmatch(HOST, host):
        raise GitHostError(_NO_URL)
    own = port is not None and port != {"http": 80, "https": 443}[scheme]
    return Remote(f"{scheme}://{host}{f':{port}' if own else ''}", host, tuple(segments))
