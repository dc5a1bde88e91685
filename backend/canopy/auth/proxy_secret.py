"""The secret that proves a request to come through the OAuth proxy, which alone has it.

An address proves little: whatever else runs in the pod, such as a service mesh's sidecar, connects from loopback too.
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
_MOST = 4  # secrets at once; a change from one to the next needs two
# What a header, a command line and Basic credentials take as it is.
_SECRET = re.compile(rb"[A-Za-z0-9._~+/=-]{32,200}")


class ProxySecret:
    """The secrets that count: each line of the file, so that one can be changed while both the old and the new count.

    Raises ConfigError when the file can't be used at the start.
    """

    def __init__(self, path: Path) -> None:
        self._file = SecretFile(path, _SETTING, _parse)

    @property
    def count(self) -> int:
        """How many secrets count."""
        return len(self._file.value)

    def reload(self) -> bool:
        """Take up the file when it has changed, and say whether it has. Raises ConfigError once per wrong content."""
        return self._file.reload()

    def is_held_by(self, sent: bytes) -> bool:
        """Whether this is a secret. All are compared, by digest, so that the time tells nothing about any of them."""
        digest = hashlib.sha256(sent).digest()
        matches = [hmac.compare_digest(known, digest) for known in self._file.value]
        return any(matches)


def basic_password(authorization: bytes) -> bytes | None:
    """The password in an `Authorization` header of the scheme Basic; None in any other header."""
    scheme, _, credentials = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        _, colon, password = base64.b64decode(credentials.strip(), validate=True).partition(b":")
    except binascii.Error:
        return None
    return password if colon else None


def _parse(content: bytes) -> Sequence[bytes]:
    """Check the file; what comes back are digests. No sentence repeats what stands in the file."""
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
