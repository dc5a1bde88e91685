"""What the container `ca-bundle` runs: the image's certificates of authorities and one's own become one file.

Programs that are given a file of authorities trust that file alone, so that one's own would take the place of all
others. Needs nothing but Python's own library, and certifi where the image has no file. What is wrong ends it with
status 1 and a sentence.
"""

import re
import ssl
import sys
from pathlib import Path
from typing import NoReturn

_IMAGES = (
    "/etc/pki/tls/certs/ca-bundle.crt",  # Red Hat's
    "/etc/ssl/certs/ca-certificates.crt",  # Debian's
    "/etc/ssl/cert.pem",  # Alpine's
)
# Nothing but certificates: a private key that stands beside one is not for other containers.
_CERTIFICATE = re.compile(
    r"-----BEGIN (?P<kind>(TRUSTED )?CERTIFICATE)-----[A-Za-z0-9+/=\s]+-----END (?P=kind)-----", re.ASCII
)


def of_the_image() -> list[str]:
    """The certificates that programs of the image trust."""
    for path in map(Path, _IMAGES):
        if path.is_file():
            return certificates(path)
    import certifi  # noqa: PLC0415 - an image may have a file instead

    return certificates(Path(certifi.where()))


def certificates(path: Path) -> list[str]:
    """Those in a file. Ends the process when there is none, or one that isn't whole."""
    found = [match[0] for match in _CERTIFICATE.finditer(path.read_bytes().decode("latin-1"))]
    if not found:
        failed(f"{path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----); put such into the ConfigMap")
    for place, one in enumerate(found, 1):
        try:
            ssl.create_default_context(cadata=one.replace("TRUSTED CERTIFICATE", "CERTIFICATE"))
        except (ssl.SSLError, ValueError):
            failed(f"certificate {place} of {len(found)} in {path} is damaged; put a whole one into the ConfigMap")
    return found


def failed(sentence: str) -> NoReturn:
    """End the process."""
    sys.stdout.write(f"FAILED  {sentence}\n")
    sys.exit(1)


def main(target: str, *own: str) -> None:
    """Write all of them, each once."""
    images = of_the_image()
    added = [one for path in own for one in certificates(Path(path))]
    Path(target).write_text("\n".join(dict.fromkeys([*images, *added])) + "\n", encoding="latin-1")
    sys.stdout.write(f"ok      {len(images)} certificates of the image, {len(added)} of your own\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
