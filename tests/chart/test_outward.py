"""How pods reach others: which certificates they trust, through which proxy, and PostgreSQL from its parts."""

import asyncio
import http.server
import json
import os
import pwd
import shutil
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import certifi
import httpx
import pytest
import yaml

from tests.chart.conftest import MINIMAL, Object, Objects, container, environment, find
from tests.chart.test_network import ANYWHERE, OWN, let_out, namespace, policy
from tests.support.certificates import certificate, server_context
from tests.support.helm import CHART, Helm, HelmError
from tests.support.model_server import FakeModelServer
from tests.support.postgres import PostgresServer
from tests.support.server import running_server

ON = MINIMAL.with_name("everything-on.yaml")
PROXY = MINIMAL.with_name("proxy.yaml")
CA = ("--set", "caBundle.configMap=company-ca")
BUNDLE = "/canopy-ca/ca-bundle.crt"
TRUSTING = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"}
MARK = "-----BEGIN CERTIFICATE-----"


def rendered(helm: Helm, tmp_path: Path, text: str, base: Path = MINIMAL) -> Objects:
    file = tmp_path / "values.yaml"
    file.write_text(text)
    made = helm.run("template", "canopy", CHART, "--values", base, "--values", file)
    return tuple(filter(None, yaml.load_all(made, yaml.CSafeLoader)))


def pods(objects: Objects) -> list[Object]:
    jobs = [one["spec"]["jobTemplate"]["spec"]["template"]["spec"] for one in objects if one["kind"] == "CronJob"]
    return [find(objects, "Deployment")["spec"]["template"]["spec"], *jobs]


def told(one: Object) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in one["env"] if "value" in variable}


def make_bundle(helm: Helm, folder: Path, own: bytes | None) -> tuple[int, str, Path]:
    """What the container that makes the bundle says, run as it was rendered but for the paths."""
    given, target = folder / "ca.crt", folder / "ca-bundle.crt"
    if own is not None:
        given.write_bytes(own)
    spec = find(helm.render("--values", MINIMAL, *CA), "Deployment")["spec"]["template"]["spec"]
    (maker,) = spec["initContainers"]
    assert maker["command"] == ["python3", "-c"]
    script, *paths = maker["args"]
    assert paths == [BUNDLE, "/canopy-ca-own/ca.crt"]
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, target, given], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr, target


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A key and a certificate of a company's own authority, which is a server's as well."""
    return certificate(tmp_path)


@pytest.fixture
def address(authority: Path) -> Generator[str]:
    """A server that only those reach who trust the company's authority."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.socket = server_context(authority).wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_who_trusts_the_bundle_trusts_the_companys_authority_and_the_images(
    helm: Helm, tmp_path: Path, authority: Path, address: str
) -> None:
    status, said, bundle = make_bundle(helm, tmp_path, authority.read_bytes())
    assert status == 0, said
    images = next((path for path in IMAGES if path.is_file()), Path(certifi.where())).read_text(encoding="latin-1")
    text = bundle.read_text(encoding="latin-1")
    assert text.count(MARK) == images.count(MARK) + 1
    assert "PRIVATE KEY" in authority.read_text()
    assert "PRIVATE KEY" not in text
    asking = "import sys, httpx, requests; print(httpx.get(sys.argv[1]), requests.get(sys.argv[1]))"
    variables = told(container(helm.render("--values", MINIMAL, *CA)))
    trusting = {name: str(bundle) for name in TRUSTING if variables[name] == BUNDLE}
    for added, right in ((trusting, True), ({}, False)):
        env = {name: value for name, value in os.environ.items() if name not in TRUSTING} | added
        command = [sys.executable, "-c", asking, address]
        asked = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert (asked.returncode == 0) is right, asked.stderr
        assert right or "CERTIFICATE_VERIFY_FAILED" in asked.stderr


IMAGES = [
    Path(path)
    for path in ("/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem")
]


@pytest.mark.own_server
async def test_the_server_summarizes_with_a_model_that_the_companys_authority_vouches_for(
    helm: Helm, tmp_path: Path, authority: Path
) -> None:
    status, said, bundle = make_bundle(helm, tmp_path, authority.read_bytes())
    assert status == 0, said
    variables = told(container(helm.render("--values", MINIMAL, *CA)))
    env = {name: str(bundle) for name, value in variables.items() if value == BUNDLE}
    async with (
        FakeModelServer(tls=server_context(authority)) as model,
        running_server(tmp_path, {"LLAMA_STACK_URL": model.url}, env=env) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        answer = await client.post("/summarize", json={"prompt": "A text.", "stream": False})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        (b"", "holds no certificate in PEM form"),
        (b"\x30\x82\x01\x00\xff", "holds no certificate in PEM form"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no certificate in PEM form"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1 of 1 in "),
    ],
)
def test_what_is_no_certificate_is_told_before_anything_starts(
    helm: Helm, tmp_path: Path, own: bytes, sentence: str
) -> None:
    status, said, _ = make_bundle(helm, tmp_path, own)
    assert (status, said.count("\n")) == (1, 1), said
    assert said.startswith("FAILED  ")
    assert sentence in said


def test_windows_lines_and_words_between_certificates_are_taken(helm: Helm, tmp_path: Path, authority: Path) -> None:
    own = b"# Company Root\r\n" + authority.read_bytes().replace(b"\n", b"\r\n") + "Zürich\n".encode("latin-1")
    status, said, _ = make_bundle(helm, tmp_path, own)
    assert status == 0, said
    assert said.endswith(" certificates of the image, 1 of your own\n")


@pytest.mark.parametrize("values", [ON, PROXY])
def test_server_jobs_and_proxy_trust_the_bundle_which_is_there_before_them(each_helm: Helm, values: Path) -> None:
    objects = each_helm.render("--values", values, *CA)
    for pod in pods(objects):
        maker, *others = pod["initContainers"]
        assert maker["name"] == "ca-bundle"
        source = {"name": "company-ca", "items": [{"key": "ca-bundle.crt", "path": "ca.crt"}]}
        assert {"name": "canopy-ca-own", "configMap": source} in pod["volumes"]
        for one in [*others, *pod["containers"]]:
            own = {"SSL_CERT_FILE"} & {"SSL_CERT_FILE" if values is ON else ""}  # which its extraEnv sets
            assert {name for name in TRUSTING if told(one).get(name) == BUNDLE} == TRUSTING - own
            assert {"name": "canopy-ca", "mountPath": "/canopy-ca", "readOnly": True} in one["volumeMounts"]


def test_without_a_bundle_nothing_is_made_or_mounted(helm: Helm) -> None:
    for path in (MINIMAL, PROXY):
        assert "canopy-ca" not in json.dumps(helm.render("--values", path))


OUT = """
proxy:
  http: http://proxy.example.com:3128
  https: http://proxy.corp.svc:8080/
  no: [.example.org, 10.0.0.0/8, "fd00::/8"]
"""


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("values", [ON, PROXY])
def test_server_jobs_and_proxy_ask_through_the_proxy_but_for_what_is_near(
    each_helm: Helm, tmp_path: Path, values: Path, quoted: bool
) -> None:
    """`no` without quotes is YAML's word for false, and meant all the same."""
    objects = rendered(each_helm, tmp_path, OUT.replace("  no:", '  "no":') if quoted else OUT, values)
    near = "localhost,127.0.0.1,::1,.svc,.cluster.local"
    services = {ON: "collector", PROXY: "llama-stack-service"}[values]
    for pod in pods(objects):
        for one in [*pod.get("initContainers", []), *pod["containers"]]:
            variables = told(one)
            for letters in (str.upper, str.lower):
                assert variables[letters("http_proxy")] == "http://proxy.example.com:3128"
                assert variables[letters("https_proxy")] == "http://proxy.corp.svc:8080/"
                assert variables[letters("no_proxy")] == f"{near},{services},.example.org,10.0.0.0/8,fd00::/8"
    out = let_out(find(objects, "NetworkPolicy")["spec"])
    assert (out[3128], out[8080]) == (ANYWHERE, [namespace("corp")])


def test_canopy_reads_the_charts_variables_as_they_are_meant(helm: Helm, tmp_path: Path) -> None:
    asking = (
        "import sys; from canopy.outgoing.proxies import proxy_for; print(*map(proxy_for, sys.argv[1:]), sep='\\n')"
    )
    proxied = ["http://models.example.com", "https://api.example.com/v1"]
    near = ["http://llama-stack-service:8321", "http://ogx.models.svc:8321", "https://a.example.org", "http://10.1.2.3"]
    near += ["http://ogx.models.svc.cluster.local:8321", "http://[fd00::7]:8321", "http://127.0.0.1:8000"]
    env = told(container(rendered(helm, tmp_path, OUT)))
    own = {name: value for name, value in env.items() if name.lower().endswith("_proxy")}
    command = [sys.executable, "-c", asking, *proxied, *near]
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=True)
    answers = done.stdout.splitlines()
    assert [answer.rstrip("/") for answer in answers[:2]] == [
        "http://proxy.example.com:3128",
        "http://proxy.corp.svc:8080",
    ]
    assert answers[2:] == ["None"] * len(near)


def test_without_a_proxy_no_variable_says_so(helm: Helm) -> None:
    assert not {name for name in environment(helm.render("--values", MINIMAL)) if "proxy" in name.lower()}


@pytest.mark.parametrize(
    "setting",
    [
        "proxy.https=http://user:s3cret@proxy:3128",
        "proxy.http=proxy:3128",
        "proxy.https=socks5://proxy:1080",
        r"proxy.no[0]=a\,b",
        "proxy.no[0]=https://a",
        "proxy.all=http://proxy:3128",
        "caBundle.secret=a",
        "store.postgresql.user=a:b",
        "store.postgresql.host=http://db",
        "store.postgresql.database=a?sslmode=disable",
        "store.postgresql.sslMode=on",
    ],
)
def test_what_is_no_proxy_host_or_mode_is_refused(each_helm: Helm, setting: str) -> None:
    with pytest.raises(HelmError, match="values don't meet the specifications of the schema"):
        each_helm.render("--values", MINIMAL, "--set", setting)


def parts(*settings: str) -> list[str]:
    own = ("store.engine=postgresql", "store.postgresql.host=db.data.svc", *settings)
    return [part for one in own for part in ("--set", one)]


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ((), "postgresql://canopy@db.data.svc:5432/canopy?sslmode=require"),
        (
            ("store.postgresql.port=6432", "store.postgresql.user=team@azure", "store.postgresql.sslMode=disable"),
            "postgresql://team%40azure@db.data.svc:6432/canopy?sslmode=disable",
        ),
        (
            ("store.postgresql.host=fd00::7", "store.postgresql.sslMode=verify-full"),
            f"postgresql://canopy@[fd00::7]:5432/canopy?sslmode=verify-full&sslrootcert={BUNDLE}",
        ),
    ],
)
def test_postgresqls_parts_become_its_address(each_helm: Helm, settings: tuple[str, ...], url: str) -> None:
    objects = each_helm.render("--values", MINIMAL, *parts(*settings))
    assert environment(objects)["CANOPY_STORE_URL"] == url
    assert "PGPASSWORD" not in json.dumps(objects)
    makers = find(objects, "Deployment")["spec"]["template"]["spec"].get("initContainers", [])
    assert [len(one["args"]) for one in makers] == ([2] if "verify" in url else [])  # the image's authorities alone


def test_the_password_of_postgresqls_user_is_a_variable_of_its_own(helm: Helm) -> None:
    arguments = parts("store.postgresql.existingSecret.name=db", "judgeRuns.enabled=true")
    for pod in pods(helm.render("--values", MINIMAL, *arguments)):
        (password,) = [one for one in pod["containers"][0]["env"] if one["name"] == "PGPASSWORD"]
        assert password["valueFrom"] == {"secretKeyRef": {"name": "db", "key": "password"}}


@pytest.mark.parametrize(
    ("host", "to"), [("db", [OWN]), ("db.data.svc", [namespace("data")]), ("10.1.2.3", None), ("fd00::7", None)]
)
def test_the_network_policy_lets_out_to_postgresqls_host_and_no_longer_to_the_default(
    helm: Helm, host: str, to: list[Object] | None
) -> None:
    out = let_out(policy(helm, *parts(f"store.postgresql.host={host}", "store.postgresql.port=6543")))
    assert 5432 not in out
    assert out[6543] == (to or [{"ipBlock": {"cidr": f"{host}/{128 if ':' in host else 32}"}}])


SECRET = "p@ss:w/rd?#&=% ü"


@pytest.fixture
def guarded(postgres: PostgresServer, authority: Path) -> Generator[str]:
    """A database whose owner, `team@azure`, has to give a password over TLS; the server is as before afterwards."""
    name = postgres.create_database().rpartition("/")[2]
    with postgres.connect("postgres") as conn:
        (rules,) = map(str, conn.execute("SHOW hba_file").fetchone() or ())
        (data,) = map(str, conn.execute("SHOW data_directory").fetchone() or ())
        conn.execute(f"CREATE ROLE \"team@azure\" LOGIN PASSWORD '{SECRET}'")
        conn.execute(f'ALTER DATABASE {name} OWNER TO "team@azure"')
        before = Path(rules).read_text()
        Path(rules).write_text(f'hostssl {name} "team@azure" 127.0.0.1/32 scram-sha-256\n{before}')
        for end in ("key", "crt"):
            copied = Path(shutil.copy(authority.with_suffix(f".{end}"), Path(data) / f"server.{end}"))
            copied.chmod(0o600)
            if os.geteuid() == 0:
                os.chown(copied, pwd.getpwnam("nobody").pw_uid, -1)
        try:
            conn.execute("ALTER SYSTEM SET ssl = on")
            conn.execute("SELECT pg_reload_conf()")
            yield name
        finally:
            Path(rules).write_text(before)
            conn.execute("ALTER SYSTEM RESET ssl")
            conn.execute("SELECT pg_reload_conf()")


@pytest.mark.own_server
async def test_the_server_keeps_votes_in_a_database_that_it_was_told_of_in_parts(
    helm: Helm, tmp_path: Path, authority: Path, guarded: str, postgres: PostgresServer
) -> None:
    """With a password of all signs, and a certificate that the image's authorities don't know."""
    status, said, bundle = make_bundle(helm, tmp_path, authority.read_bytes())
    assert status == 0, said
    own = (
        "store.postgresql.host=127.0.0.1",
        f"store.postgresql.port={postgres.port}",
        "store.postgresql.user=team@azure",
    )
    settings = (*own, f"store.postgresql.database={guarded}", "store.postgresql.sslMode=verify-full")
    url = environment(helm.render("--values", MINIMAL, *parts(*settings), *CA))["CANOPY_STORE_URL"]
    env = {"CANOPY_STORE_URL": url.replace(BUNDLE, str(bundle)), "PGPASSWORD": SECRET}
    async with asyncio.timeout(60), running_server(tmp_path, env=env) as server:
        vote = {"input_text": "a", "response_text": "b", "rating": "thumbs_up"}
        async with httpx.AsyncClient(base_url=server.url) as client:
            assert (await client.post("/feedback", json=vote)).status_code == 200
    with postgres.connect(guarded) as conn:
        assert conn.execute("SELECT count(*) FROM feedback").fetchone() == (1,)
