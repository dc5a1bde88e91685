"""Bearer tokens from a file: a list of entries, each with a `name`, a `role` and either `sha256` or `token`.

`sha256` is the hash of the token's bytes in hex, so that reading the file isn't enough to sign in. A hash without salt
is enough for random tokens; short tokens, which could be guessed, are refused.
"""

import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError, model_validator

from canopy.auth.identity import Identity, Role
from canopy.auth.secret_file import SecretFile
from canopy.base.errors import ConfigError
from canopy.text import yaml_loader

_SETTING = "CANOPY_AUTH_TOKENS_FILE"
_SHORTEST = 16  # characters of a token

# RFC 6750's characters, which a cookie takes as they are.
_Token = Annotated[str, StringConstraints(pattern=rf"^[A-Za-z0-9._~+/-]{{{_SHORTEST},200}}=*$")]


class _TokenEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    name: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
    role: Role = "user"
    token: _Token | None = None
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if (self.token is None) == (self.sha256 is None):
            raise ValueError("an entry has either `sha256` or `token`")
        return self

    @property
    def digest(self) -> bytes:
        return _digest(self.token) if self.token is not None else bytes.fromhex(self.sha256 or "")


_ENTRIES = TypeAdapter(list[_TokenEntry])


class Tokens:
    """The valid tokens: the file's, or the last valid ones while the file is wrong.

    Two entries may have one name, so that a token can be rotated without a gap: add the new one, hand it out, remove
    the old one. Raises ConfigError when the file can't be used at the start.
    """

    def __init__(self, path: Path) -> None:
        self._file = SecretFile(path, _SETTING, _parse)

    @property
    def count(self) -> int:
        """Return how many tokens are valid."""
        return len(self._file.value)

    def identify(self, token: str) -> Identity | None:
        """Return a token's identity; None if it is wrong. Comparing every entry keeps the time independent of them."""
        digest = _digest(token)
        found: Identity | None = None
        for known, identity in self._file.value:
            if hmac.compare_digest(known, digest):
                found = identity
        return found

    def holder(self, fingerprint: str) -> Identity | None:
        """Return the identity of the valid token with this fingerprint; None if there is none."""
        return next((it for known, it in self._file.value if _fingerprint(known) == fingerprint), None)

    @property
    def fingerprints(self) -> frozenset[str]:
        """Return the fingerprints of all valid tokens."""
        return frozenset(_fingerprint(known) for known, _ in self._file.value)

    def reload(self) -> bool:
        """Read the file if it has changed; return whether it has. Raises ConfigError once per wrong content."""
        return self._file.reload()


def _parse(content: bytes) -> Sequence[tuple[bytes, Identity]]:
    """Return the digests and identities. Raises ConfigError, whose sentence never quotes the file."""
    try:
        entries = _ENTRIES.validate_python(yaml_loader.load(content)[0])
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark else ""
        raise ConfigError(f"{_SETTING}: the file is not valid YAML{place}.") from None
    except ValidationError as error:
        raise ConfigError(f"{_SETTING}: {_sentence(error)}") from None
    if len({entry.digest for entry in entries}) < len(entries):
        raise ConfigError(f"{_SETTING}: two entries have the same token.")
    return [(entry.digest, Identity(entry.name, entry.role, "token")) for entry in entries]


def fingerprint(token: str) -> str:
    """Return the stored stand-in for a token; it differs from the file's hash."""
    return _fingerprint(_digest(token))


@lru_cache(maxsize=4096)
def _fingerprint(digest: bytes) -> str:
    return hashlib.sha256(b"canopy session" + digest).hexdigest()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def _sentence(error: ValidationError) -> str:
    """Return the first finding as a sentence."""
    first = error.errors(include_input=False, include_url=False)[0]
    if not first["loc"]:
        return "the file must hold a list of entries, each with `name`, `role` and `sha256`."
    number, *path = first["loc"]
    place = f"`{path[0]}` of entry {int(number) + 1}" if path else f"entry {int(number) + 1}"
    if first["type"] == "extra_forbidden":
        # An unknown key as long as a token may be one, in the wrong place.
        which = place if len(str(path[0])) < _SHORTEST else f"a key of entry {int(number) + 1}"
        return f"{which} is none of `name`, `role`, `sha256` and `token`."
    if first["type"] in {"model_type", "missing"}:
        return f"entry {int(number) + 1} must have `name`, `role` and `sha256`."
    if first["type"] == "value_error":
        return f"{place}: {first['ctx']['error']}."
    if path == ["token"]:
        return f"{place} must be 16 to 200 letters, digits and `-._~+/`, with `=` only at its end."
    return f"{place}: {first['msg'].removeprefix('Input ').removeprefix('String ')}."
