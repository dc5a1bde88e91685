"""Certificates for servers of the tests, made when a test needs them."""

import ssl
import subprocess
from pathlib import Path

# `openssl ca` is the one command of older releases that takes the times of a certificate.
_AUTHORITY = """
[ca]
default_ca = own
[own]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""


def certificate(folder: Path, *, name: str = "127.0.0.1", until: str = "20491231000000Z") -> Path:
    """A file with a key and its self-signed certificate for this address or name, good until this time."""
    key, request, signed = (folder / f"server.{end}" for end in ("key", "csr", "crt"))
    (folder / "index").touch()
    config = folder / "ca.cnf"
    config.write_text(_AUTHORITY.format(folder=folder))
    kind = "IP" if name.replace(".", "").isdigit() else "DNS"
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={kind}:{name}"]
    _openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(request), *subject)
    times = ["-startdate", "20240101000000Z", "-enddate", until]
    files = ["-keyfile", str(key), "-in", str(request), "-out", str(signed), "-notext"]
    _openssl("ca", "-batch", "-selfsign", "-config", str(config), *times, *files)
    both = folder / "server.pem"
    both.write_text(key.read_text() + signed.read_text())
    return both


def server_context(certificate_file: Path) -> ssl.SSLContext:
    """For a server that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file)
    return context


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
