"""The secret that proves that a request comes through the OAuth proxy.

An address proves little: other containers of the pod, such as a service mesh's sidecar, connect from loopback too.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from pathlib import Path

from canopy.auth.secret_file import SecretFile
from canopy.base.errors import ConfigError

_SETTING = "CANOPY_AUTH_PROXY_SECRET_FILE"
_MOST = 4  # secrets at once; rotation needs two
# Characters that need no escaping in headers, command lines and Basic credentials.
_SECRET = re.compile(rb"[A-Za-z0-9._~+/=-]{32,200}")


class ProxySecret:
    """The valid secrets: each line of the file is one, so that old and new are valid during a rotation.

    Raises ConfigError when the file can't be used at the start.
    """

    def __init__(self, path: Path) -> None:
        self._file = SecretFile(path, _SETTING, _parse)

    @property
    def count(self) -> int:
        """Return how many secrets are valid."""
        return len(self._file.value)

    def reload(self) -> bool:
        """Read the file if it has changed; return whether it has. Raises ConfigError once per wrong content."""
        return self._file.reload()

    def is_held_by(self, sent: bytes) -> bool:
        """Return whether this is a valid secret. Comparing every digest keeps the time independent of the secrets."""
        digest = hashlib.sha256(sent).digest()
        matches = [hmac.compare_digest(known, digest) for known in self._file.value]
        return any(matches)


def basic_password(authorization: bytes) -> bytes | None:
    """Return the password in a Basic `Authorization` header; None for another header."""
    scheme, _, credentials = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        _, colon, password = base64.b64decode(credentials.strip(), validate=True).partition(b":")
    except binascii.Error:
        return None
    return password if colon else None


def _parse(content: bytes) -> Sequence[bytes]:
    """Return the secrets' digests. Raises ConfigError, whose sentence never quotes the file."""
    secrets = list(dict.fromkeys(line.strip() for line in content.splitlines() if line.strip()))
    if not secrets:
        raise ConfigError(f"{_SETTING}: the file is empty. Make a secret with `openssl rand -hex 32`.")
    if len(secrets) > _MOST:
        raise ConfigError(f"{_SETTING}: the file has more than {_MOST} secrets, each on a line. Remove the oldest.")
    if not all(_SECRET.fullmatch(secret) for secret in secrets):
        raise ConfigError(
            f"{_SETTING}: a secret must be 32 to 200 letters, digits and `-._~+/=`. Make one with "
            "`openssl rand -hex 32`."
        )
    return [hashlib.sha256(secret).digest() for secret in secrets]
