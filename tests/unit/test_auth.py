"""Tokens from a file and identities from a proxy's headers."""

import base64
import hashlib
from pathlib import Path

import pytest

from canopy.auth.identity import Identity
from canopy.auth.proxy import identify, verify, wide_networks
from canopy.auth.proxy_secret import ProxySecret
from canopy.auth.tokens import Tokens
from canopy.base.errors import ConfigError, IdentityRefused
from canopy.config.access import AuthValues
from canopy.config.loading import load_config

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


def settled(source: Tokens | ProxySecret) -> bool:
    """What comes of a change that stands for two looks."""
    assert source.reload() is False
    return source.reload()


def test_half_a_file_takes_nobodys_token_away(path: Path) -> None:
    tokens = Tokens(path)
    whole = FILE + "- {name: Eve, role: user, token: eve-her-token-0123}\n"
    for part in (whole[: whole.index("- {name: Ben")], whole[: whole.index("- {name: Eve")], ""):
        path.write_text(part)  # each of them a list, seen while it is written
        assert tokens.reload() is False
        assert tokens.identify(BEN) == Identity("Ben", "user", "token")
    path.write_text(whole)
    assert settled(tokens) is True
    assert tokens.count == 3


def test_a_token_is_changed_without_a_gap(path: Path) -> None:
    tokens = Tokens(path)
    assert tokens.reload() is False
    path.write_text(FILE + "- {name: Ana, role: reviewer, token: ana-the-second-one}\n")
    assert settled(tokens) is True
    assert tokens.identify(ANA) == tokens.identify("ana-the-second-one") == Identity("Ana", "reviewer", "token")
    path.write_text("- {name: Ana, role: reviewer, token: ana-the-second-one}\n")
    assert settled(tokens) is True
    assert tokens.identify(ANA) is None
    path.write_text("[]")
    assert settled(tokens) is True
    assert tokens.count == 0


def test_while_the_file_is_wrong_or_gone_the_last_good_tokens_hold_and_each_fault_is_told_once(path: Path) -> None:
    tokens = Tokens(path)
    path.write_text("- {name: Ben, token: short}")
    with pytest.raises(ConfigError, match="`token` of entry 1 must be 16 to 200"):
        settled(tokens)
    assert tokens.reload() is False
    path.unlink()
    with pytest.raises(ConfigError, match="can't be read"):
        tokens.reload()
    assert tokens.reload() is False
    assert tokens.identify(BEN) == Identity("Ben", "user", "token")
    path.write_text(FILE)
    assert settled(tokens) is True


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


PROXY = AuthValues(
    mode="proxy",
    reviewer_users=["ana"],
    controller_users=["ana", "system:serviceaccount:argo-rollouts:argo-rollouts"],
    reviewer_emails=["Cem@Example.com"],
    reviewer_groups=["prompt engineers"],
    email_header="X-Forwarded-Email",
    groups_header="X-Forwarded-Groups",
)
SECRET = b"0123456789abcdef0123456789abcdef"
PROVEN = [(b"x-canopy-proxy-secret", SECRET)]


@pytest.fixture
def secret(tmp_path: Path) -> ProxySecret:
    file = tmp_path / "secret"
    file.write_bytes(SECRET)
    return ProxySecret(file)


@pytest.mark.parametrize(
    ("headers", "identity"),
    [
        ({}, None),
        ({"x-forwarded-email": "ana@example.com"}, None),
        ({"x-forwarded-user": " "}, None),
        ({"x-forwarded-user": "ana"}, Identity("ana", "reviewer", "proxy")),
        ({"x-forwarded-user": "ben"}, Identity("ben", "user", "proxy")),
        (
            {"x-forwarded-user": "system:serviceaccount:argo-rollouts:argo-rollouts"},
            Identity("system:serviceaccount:argo-rollouts:argo-rollouts", "controller", "proxy"),
        ),
        ({"x-forwarded-user": "7", "x-forwarded-email": "cem@example.com"}, Identity("7", "reviewer", "proxy")),
        ({"x-forwarded-user": "7", "x-forwarded-email": "cEM@example.COM"}, Identity("7", "reviewer", "proxy")),
        ({"x-forwarded-user": "ANA"}, Identity("ANA", "user", "proxy")),
        ({"x-forwarded-user": "cem@example.com"}, Identity("cem@example.com", "user", "proxy")),
        (
            {"x-forwarded-user": "ben", "x-forwarded-groups": '["all", "prompt engineers"]'},
            Identity("ben", "reviewer", "proxy"),
        ),
        (
            {"x-forwarded-user": "ben", "x-forwarded-groups": '["all, prompt engineers"]'},
            Identity("ben", "user", "proxy"),
        ),
        ({"x-forwarded-user": "ben", "x-forwarded-groups": "[]"}, Identity("ben", "user", "proxy")),
        ({"x-forwarded-user": "Åsa"}, Identity("Åsa", "user", "proxy")),
    ],
)
def test_the_proxy_says_who_asks(headers: dict[str, str], identity: Identity | None) -> None:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert identify(sent, PROXY) == identity


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_sidecar_with_the_secret_is_trusted(peer: str, secret: ProxySecret) -> None:
    verify(PROVEN, peer, PROXY, secret)
    verify([(b"authorization", b"Basic " + base64.b64encode(b"ana:" + SECRET))], peer, PROXY, secret)


@pytest.mark.parametrize("peer", ["10.1.2.3", "127.0.0.6", "::2", "::ffff:10.1.2.3", None])
def test_requests_from_elsewhere_are_refused_whatever_they_carry(peer: str | None, secret: ProxySecret) -> None:
    with pytest.raises(IdentityRefused, match="the proxy alone"):
        verify(PROVEN, peer, PROXY, secret)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"x-canopy-proxy-secret", b"")],
        [(b"x-canopy-proxy-secret", SECRET[:-1])],
        [(b"x-canopy-proxy-secret", SECRET + b"0")],
        [*PROVEN, *PROVEN],
        [(b"x_canopy_proxy_secret", SECRET)],
        [(b"authorization", SECRET)],
        [(b"authorization", b"Bearer " + SECRET)],
        [(b"authorization", b"Basic " + SECRET)],
        [(b"authorization", b"Basic " + base64.b64encode(SECRET))],
        [(b"authorization", b"Basic " + base64.b64encode(SECRET + b":"))],
        [(b"authorization", b"Basic \xff\xfe")],
        [(b"cookie", b"x-canopy-proxy-secret=" + SECRET)],
    ],
)
def test_what_is_not_the_secret_proves_nothing(headers: list[tuple[bytes, bytes]], secret: ProxySecret) -> None:
    with pytest.raises(IdentityRefused):
        verify(headers, "127.0.0.1", PROXY, secret)


def test_a_secret_is_changed_without_a_gap_in_one_file_or_in_a_folder(tmp_path: Path) -> None:
    file, folder = tmp_path / "secret", tmp_path / "mounted"
    file.write_bytes(b"  " + SECRET + b"  \r\n\n")
    (folder / "..data").mkdir(parents=True)  # as the kubelet lays it out
    (folder / "current").write_bytes(SECRET)
    for path, both in ((file, file), (folder, folder / "next")):
        secret = ProxySecret(path)
        assert secret.count == 1
        assert secret.reload() is False
        both.write_bytes(b"the-next-one-0123456789abcdefghij\n" + (SECRET if path == file else b""))
        assert settled(secret) is True
        assert secret.count == 2
        assert secret.is_held_by(SECRET)
        assert secret.is_held_by(b"the-next-one-0123456789abcdefghij")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"too-short-a-secret", "32 to 200 letters"),
        (SECRET + b"\nshort-secret", "32 to 200 letters"),
        (b"\n".join(SECRET + bytes([65 + n]) for n in range(5)), "more than 4 secrets"),
        ("ä-secret-0123456789abcdef01234567".encode(), "32 to 200 letters"),
    ],
)
def test_a_wrong_secret_file_is_refused_and_the_last_good_one_counts(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence) as caught:
        ProxySecret(file)
    assert "secret-" not in caught.value.sentence
    file.write_bytes(SECRET)
    secret = ProxySecret(file)
    file.write_bytes(content)
    with pytest.raises(ConfigError):
        settled(secret)
    assert secret.is_held_by(SECRET)


def test_networks_and_names_of_ones_own_are_what_counts(secret: ProxySecret) -> None:
    values = AuthValues(
        mode="proxy", trusted_proxies=["10.0.0.0/8"], user_header="X-Remote-User", secret_header="X-Proven"
    )
    verify([(b"x-proven", SECRET)], "10.9.9.9", values, secret)
    for headers, peer in ((PROVEN, "10.9.9.9"), ([(b"x-proven", SECRET)], "127.0.0.1")):
        with pytest.raises(IdentityRefused):
            verify(headers, peer, values, secret)
    assert identify([(b"x-remote-user", b"ana")], values) == Identity("ana", "user", "proxy")
    assert identify([(b"x-forwarded-user", b"ana")], values) is None


def test_a_separator_is_used_where_the_values_name_one() -> None:
    values = PROXY.model_copy(update={"groups_separator": ","})
    for groups in (b"all, prompt engineers", b"prompt engineers", b",prompt engineers,"):
        sent = [(b"x-forwarded-user", b"ben"), (b"x-forwarded-groups", groups)]
        assert identify(sent, values) == Identity("ben", "reviewer", "proxy")
    sent = [(b"x-forwarded-user", b"ben"), (b"x-forwarded-groups", b'["prompt engineers"]')]
    assert identify(sent, values) == Identity("ben", "user", "proxy")


@pytest.mark.parametrize(
    ("network", "wide"),
    [
        ("0.0.0.0/0", True),
        ("::/0", True),
        ("8.8.8.0/24", True),
        ("203.0.113.7", True),
        ("10.0.0.0/7", True),
        ("2001:db8::/32", True),
        ("fc00::/6", True),
        ("10.0.0.0/8", False),
        ("10.1.2.3", False),
        ("100.64.0.0/10", False),
        ("::1", False),
        ("fd12::/16", False),
    ],
)
def test_networks_that_strangers_are_in_are_known(network: str, wide: bool) -> None:
    assert wide_networks(AuthValues(trusted_proxies=["127.0.0.1/32", network])) == ([network] if wide else [])


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-forwarded-user", b"ben"), (b"x-forwarded-user", b"ana")],
        [(b"x-forwarded-user", b"\xff")],
        [(b"x-forwarded-user", b"a\x07b")],
        [(b"x-forwarded-user", b"a" * 201)],
        [(b"x-forwarded-user", b"ben"), (b"x-forwarded-groups", b"prompt engineers")],
        [(b"x-forwarded-user", b"ben"), (b"x-forwarded-groups", b'{"prompt engineers": 1}')],
        [(b"x-forwarded-user", b"ben"), (b"x-forwarded-groups", b'["prompt engineers", 7]')],
        [(b"x-forwarded-user", b"ben"), (b"x-forwarded-groups", b"[" * 50_000)],
    ],
)
def test_a_header_that_is_not_clear_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(IdentityRefused):
        identify(headers, PROXY)


@pytest.mark.parametrize(
    ("auth", "sentence"),
    [
        ("user_header: Host", "`auth.user_header`: means something else in HTTP"),
        ("user_header: authorization", "`auth.user_header`: means something else in HTTP"),
        ("user_header: X-Forwarded-For", "`auth.user_header`: means something else in HTTP"),
        ("email_header: Content-Length", "`auth.email_header`: means something else in HTTP"),
        ("groups_header: Connection", "`auth.groups_header`: means something else in HTTP"),
        ("secret_header: Cookie", "`auth.secret_header`: means something else in HTTP"),
        ("user_header: X_Forwarded_User", "`auth.user_header`"),
        ("user_header: ''", "`auth.user_header`"),
        ("groups_separator: x", "`auth.groups_separator`"),
        ("email_header: x-forwarded-user", "name one header twice"),
        ("secret_header: X-Forwarded-User", "name one header twice"),
        ("mode: proxy, reviewer_groups: [a]", "auth.reviewer_groups is set, but auth.groups_header is empty"),
        ("mode: proxy, reviewer_emails: [a@b]", "auth.reviewer_emails is set, but auth.email_header is empty"),
        ("mode: proxy, reviewer_users: [a@b], email_header: X-Email", "Move it to auth.reviewer_emails"),
    ],
)
def test_values_under_which_a_client_could_say_who_it_is_are_refused(auth: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(f"auth: {{{auth}}}".encode())
    assert sentence in caught.value.sentence
