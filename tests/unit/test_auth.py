"""Tokens from a file and identities from a proxy's headers."""

import hashlib
from pathlib import Path

import pytest

from canopy.auth.identity import Identity
from canopy.auth.proxy import identify
from canopy.auth.tokens import Tokens
from canopy.errors import ConfigError, IdentityRefused
from canopy.flags.access import AuthValues

ANA = "ana-0123456789abcdef"
BEN = "ben-0123456789abcdef=="
SHA256 = hashlib.sha256(ANA.encode()).hexdigest()
FILE = f"- {{name: Ana, role: reviewer, sha256: '{SHA256}'}}\n- {{name: Ben, token: '{BEN}'}}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "tokens.yaml"
    file.write_text(FILE)
    return file


def test_a_token_stands_for_its_entry_whether_the_file_has_it_or_its_hash(path: Path) -> None:
    tokens = Tokens(path)
    assert tokens.identify(ANA) == Identity("Ana", "reviewer", "token")
    assert tokens.identify(BEN) == Identity("Ben", "user", "token")


@pytest.mark.parametrize("token", ["", ANA[:-1], ANA + "x", SHA256, "Ana", "\udcff", "ä" * 16])
def test_nothing_else_stands_for_anybody(path: Path, token: str) -> None:
    assert Tokens(path).identify(token) is None


def test_a_token_is_changed_without_a_gap(path: Path) -> None:
    tokens = Tokens(path)
    assert tokens.reload() is False
    path.write_text(FILE + "- {name: Ana, role: reviewer, token: ana-the-second-one}\n")
    assert tokens.reload() is True
    assert tokens.identify(ANA) == tokens.identify("ana-the-second-one") == Identity("Ana", "reviewer", "token")
    path.write_text("- {name: Ana, role: reviewer, token: ana-the-second-one}\n")
    assert tokens.reload() is True
    assert tokens.identify(ANA) is None
    path.write_text("[]")
    assert tokens.reload() is True
    assert tokens.count == 0


def test_while_the_file_is_wrong_or_gone_the_last_good_tokens_hold_and_each_fault_is_told_once(path: Path) -> None:
    tokens = Tokens(path)
    path.write_text("- {name: Ben, token: short}")
    with pytest.raises(ConfigError, match="`token` of entry 1 must be 16 to 200"):
        tokens.reload()
    assert tokens.reload() is False
    path.unlink()
    with pytest.raises(ConfigError, match="can't be read"):
        tokens.reload()
    assert tokens.reload() is False
    assert tokens.identify(BEN) == Identity("Ben", "user", "token")
    path.write_text(FILE)
    assert tokens.reload() is True


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "must hold a list of entries"),
        ("Ana: secret-0123456789abc", "must hold a list of entries"),
        ("- [", "not valid YAML"),
        ("- {name: Ana, token: secret-0123456789abc, sha256: null, rolle: user}", "`rolle` of entry 1"),
        ("- {name: Ana, token: secret-0123456789abc, role: admin}", "`role` of entry 1"),
        ("- {name: Ana, secret-0123456789abc: user}", "a key of entry 1 is none of `name`"),
        ("- secret-0123456789abc", "entry 1 must have `name`, `role` and `sha256`"),
        ("- {token: secret-0123456789abc}", "entry 1 must have `name`, `role` and `sha256`"),
        ("- {name: '', token: secret-0123456789abc}", "`name` of entry 1"),
        ("- {name: Ana}", "entry 1: an entry has either `sha256` or `token`"),
        (f"- {{name: Ana, token: secret-0123456789abc, sha256: '{SHA256}'}}", "either `sha256` or `token`"),
        ("- {name: Ana, token: 'secret 0123456789abc'}", "16 to 200 letters"),
        ("- {name: Ana, sha256: secret-0123456789abc}", "`sha256` of entry 1"),
        (
            "- {name: Ana, token: secret-0123456789abc}\n- {name: Ben, token: secret-0123456789abc}",
            "two entries have the same token",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_the_entry_and_never_with_what_stands_in_it(
    path: Path, content: str, sentence: str
) -> None:
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        Tokens(path)
    assert sentence in caught.value.sentence
    assert "secret" not in caught.value.sentence


PROXY = AuthValues(mode="proxy", reviewer_users=["ana", "cem@example.com"], reviewer_groups=["prompt engineers"])


@pytest.mark.parametrize(
    ("headers", "identity"),
    [
        ({}, None),
        ({"x-forwarded-email": "ana@example.com"}, None),
        ({"x-forwarded-user": " "}, None),
        ({"x-forwarded-user": "ana"}, Identity("ana", "reviewer", "proxy")),
        ({"x-forwarded-user": "ben"}, Identity("ben", "user", "proxy")),
        ({"x-forwarded-user": "7", "x-forwarded-email": "cem@example.com"}, Identity("7", "reviewer", "proxy")),
        (
            {"x-forwarded-user": "ben", "x-forwarded-groups": "all, prompt engineers"},
            Identity("ben", "reviewer", "proxy"),
        ),
        ({"x-forwarded-user": "ben", "x-forwarded-groups": "prompt"}, Identity("ben", "user", "proxy")),
        ({"x-forwarded-user": "Åsa"}, Identity("Åsa", "user", "proxy")),
    ],
)
def test_the_proxy_says_who_asks(headers: dict[str, str], identity: Identity | None) -> None:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert identify(sent, "127.0.0.1", PROXY) == identity


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_sidecar_is_trusted(peer: str) -> None:
    assert identify([(b"x-forwarded-user", b"ana")], peer, PROXY)


@pytest.mark.parametrize("peer", ["10.1.2.3", "127.0.0.6", "::2", "::ffff:10.1.2.3", None])
def test_headers_from_elsewhere_are_refused(peer: str | None) -> None:
    for name in (b"x-forwarded-user", b"x-forwarded-email", b"x-forwarded-groups"):
        with pytest.raises(IdentityRefused, match="from the proxy alone"):
            identify([(name, b"ana")], peer, PROXY)
    assert identify([(b"accept", b"*/*")], peer, PROXY) is None


def test_networks_and_names_of_ones_own_are_what_counts() -> None:
    values = AuthValues(mode="proxy", trusted_proxies=["10.0.0.0/8"], user_header="X-Remote-User")
    assert identify([(b"x-remote-user", b"ana")], "10.9.9.9", values) == Identity("ana", "user", "proxy")
    assert identify([(b"x-forwarded-user", b"ana")], "10.9.9.9", values) is None
    with pytest.raises(IdentityRefused):
        identify([(b"x-remote-user", b"ana")], "127.0.0.1", values)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-forwarded-user", b"ben"), (b"x-forwarded-user", b"ana")],
        [(b"x-forwarded-user", b"\xff")],
        [(b"x-forwarded-user", b"a\x07b")],
        [(b"x-forwarded-user", b"a" * 201)],
    ],
)
def test_a_header_that_is_not_clear_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(IdentityRefused):
        identify(headers, "127.0.0.1", PROXY)
