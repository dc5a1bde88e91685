"""Decides which certificate authorities are trusted: the machine's, or those that a shared variable names.

Of several variables the first one counts, in the order of `settings.certificate_authorities`.
"""

import os
import re
import ssl
from functools import lru_cache
from pathlib import Path

import certifi

from canopy.base.errors import ConfigError
from canopy.base.settings import certificate_authorities, tls_key_log

_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")  # OpenSSL's file names of certificates in a folder


def tls_context() -> ssl.SSLContext:
    """Return the TLS context of all clients. Raises ConfigError if the variable names no usable certificates."""
    return _context(*next(iter(certificate_authorities().items()), ("", "")), tls_key_log())


def trusted_place() -> str | None:
    """Return the file or folder that the variable names, for libraries that take only that; None without one."""
    place = next(iter(certificate_authorities().values()), None)
    return place and next((part for part in place.split(os.pathsep) if Path(part).exists()), place)


@lru_cache(maxsize=2)  # reading all of a machine's authorities is slow
def _context(variable: str, place: str, keys: str | None) -> ssl.SSLContext:
    try:
        if variable:
            file, folder = _locations(variable, place)
            return ssl.create_default_context(cafile=file, capath=folder)
        context = ssl.create_default_context()  # the machine's own authorities,
        context.load_verify_locations(cafile=certifi.where())  # and the public ones, for a machine without any
    except ssl.SSLError as error:
        raise _unusable(variable, place, "there is no certificate in PEM form in it") from error
    except OSError as error:
        if keys and error.filename == keys:
            raise ConfigError(f"SSLKEYLOGFILE names {error.filename}, which can't be written. Unset it.") from error
        raise _unusable(variable, place, f"it can't be read ({error.strerror})") from error
    return context


def _locations(variable: str, place: str) -> tuple[str | None, str | None]:
    """Return the file or the folder, the other being None."""
    if Path(place).is_file():
        return place, None
    folders = [Path(part) for part in place.split(os.pathsep) if Path(part).is_dir()]
    if not folders:
        raise _unusable(variable, place, "there is nothing")
    try:
        names = [path.name for folder in folders for path in folder.iterdir()]
    except OSError as error:
        raise _unusable(variable, place, f"it can't be read ({error.strerror})") from error
    if not any(map(_HASHED.fullmatch, names)):
        raise _unusable(variable, place, "no file in it has a name that OpenSSL looks for (`openssl rehash`)")
    return None, place


def _unusable(variable: str, place: str, reason: str) -> ConfigError:
    return ConfigError(
        f"{variable} names {place}, but {reason}. Let it name a file with the certificates of authorities in PEM form, "
        "or unset it."
    )
