"""Which proxy leads to a server, by the variables that machines have."""

import logging

import pytest

from canopy.base.errors import ConfigError
from canopy.outgoing.proxies import check_proxies, proxy_for

PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:8321",
        "http://LOCALHOST",
        "http://localhost.",
        "http://models.localhost:8321",
        "http://127.0.0.1:8321",
        "https://127.8.9.10",
        "http://[::1]:8321",
        "http://[::ffff:127.0.0.1]",
        "http://0.0.0.0:8000",
        "http://[::]:8000",
    ],
)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_this_machine_is_never_asked_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    monkeypatch.setenv(variable, PROXY)
    assert proxy_for(address) is None


@pytest.mark.parametrize(
    ("no_proxy", "address"),
    [
        ("*", "https://models.example"),
        ("a.example,models.example", "http://models.example:8321"),
        (" a.example , models.example ", "http://models.example"),
        ("a.example models.example", "http://models.example"),
        ("example", "http://models.example"),
        (".example", "http://models.example"),
        ("*.example", "http://models.example"),
        (".models.example", "http://models.example"),
        ("MODELS.Example.", "http://models.example"),
        ("models.example:8321", "http://models.example:8321"),
        ("models.example:443", "https://models.example"),
        ("http://models.example", "http://models.example"),
        ("http://models.example:8321/", "http://models.example:8321"),
        ("10.0.0.1", "http://10.0.0.1:8321"),
        ("10.0.0.1:8321", "http://10.0.0.1:8321"),
        ("10.0.0.0/8", "http://10.1.2.3"),
        ("10.1.2.3/8", "http://10.200.2.3"),
        ("10.0.0.0/255.0.0.0", "http://10.200.2.3"),
        ("10.*", "http://10.1.2.3"),
        ("fd00::/8", "http://[fd12::1]:8321"),
        ("[fd00::]/8", "http://[fd12::1]:8321"),
        ("fd12::1", "http://[fd12::1]:8321"),
        ("[fd12::1]", "http://[fd12::1]:8321"),
        ("[fd12::1]:8321", "http://[fd12:0::1]:8321"),
        ("10.0.0.0/8", "http://[::ffff:10.1.2.3]"),
        ("localhost,127.0.0.0/8,10.0.0.0/8,.svc,.cluster.local", "http://ogx.models.svc.cluster.local:8321"),
    ],
)
def test_an_exception_holds(monkeypatch: pytest.MonkeyPatch, no_proxy: str, address: str) -> None:
    monkeypatch.setenv("ALL_PROXY", PROXY)
    assert proxy_for(address) == PROXY
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(address) is None


@pytest.mark.parametrize(
    ("no_proxy", "address"),
    [
        ("", "http://models.example"),
        (",, ,", "http://models.example"),
        ("odels.example", "http://models.example"),
        ("models.example:80", "http://models.example:8321"),
        ("https://models.example", "http://models.example"),
        ("10.0.0.0/8", "http://11.0.0.1"),
        ("10.0.0.1", "http://10.0.0.11"),
        ("fd00::/8", "http://[fe80::1]"),
        ("[fd12::1]:80", "http://[fd12::1]:8321"),
        ("10.0.0.0/8", "http://ten.example"),
        ("::/0", "http://10.0.0.1"),
    ],
)
def test_an_exception_holds_no_more_than_it_says(monkeypatch: pytest.MonkeyPatch, no_proxy: str, address: str) -> None:
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(address) == PROXY


@pytest.mark.parametrize("entry", ["10.0.0.0/99", "fd00::/999", "[fd00", "models.example:http", "a/b", "1:2:3"])
def test_an_entry_that_means_nothing_is_told_and_the_others_hold(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, entry: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", f"{entry},models.example")
    with caplog.at_level(logging.WARNING):
        assert proxy_for("http://other.example") == PROXY
        assert proxy_for("http://models.example") is None
    assert len(caplog.records) == 1
    assert "NO_PROXY" in caplog.text
    assert entry in caplog.text


def test_each_scheme_has_its_proxy_and_lower_case_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP", "HTTPS", "ALL"):
        monkeypatch.setenv(f"{name}_PROXY", f"http://{name.lower()}.example")
    assert proxy_for("http://models.example") == "http://http.example"
    assert proxy_for("https://models.example") == "http://https.example"
    monkeypatch.delenv("HTTPS_PROXY")
    assert proxy_for("https://models.example") == "http://all.example"
    monkeypatch.setenv("http_proxy", "lower.example:8080")
    assert proxy_for("http://models.example") == "http://lower.example:8080"
    monkeypatch.setenv("http_proxy", "")  # how people turn one off
    assert proxy_for("http://models.example") == "http://all.example"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("socks5://127.0.0.1:1080", "socks5://127.0.0.1:1080"),
        ("socks5h://127.0.0.1:1080", "socks5h://127.0.0.1:1080"),
        ("socks://127.0.0.1:1080/", "socks5://127.0.0.1:1080/"),
        (" http://proxy.example:3128/ ", "http://proxy.example:3128/"),
        ("http://u:p%40w@proxy.example:3128", "http://u:p%40w@proxy.example:3128"),
    ],
)
def test_what_counts_as_a_proxy(monkeypatch: pytest.MonkeyPatch, given: str, taken: str) -> None:
    monkeypatch.setenv("ALL_PROXY", given)
    check_proxies()
    assert proxy_for("http://models.example") == taken


@pytest.mark.parametrize("given", ["socks4://127.0.0.1:1080", "ftp://x", "http://", "http://a:b:c", "http://a:99999"])
def test_what_is_no_proxy_is_said_with_the_variable(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("all_proxy", given)
    with pytest.raises(ConfigError, match=r"ALL_PROXY.*`socks5://HOST:PORT`"):
        check_proxies()
    monkeypatch.setenv("NO_PROXY", "*")
    check_proxies()
