"""Whose certificates of servers are trusted: the authorities of the machine, or those that a shared variable names.

Of several variables the first one counts, in the order of `settings.authorities`.
"""

import os
import re
import ssl
from functools import lru_cache
from pathlib import Path

import certifi

from canopy.base.errors import ConfigError
from canopy.base.settings import authorities, key_log

_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")  # how OpenSSL finds an authority's certificate in a folder


def trust() -> ssl.SSLContext:
    """TLS as all clients speak it. Raises ConfigError where the variable that counts names nothing to trust."""
    return _context(*next(iter(authorities().items()), ("", "")), key_log())


def trusted_place() -> str | None:
    """The file or folder that the variable names, for a library that takes no more; None where there is none."""
    place = next(iter(authorities().values()), None)
    return place and next((part for part in place.split(os.pathsep) if Path(part).exists()), place)


@lru_cache(maxsize=2)  # reading all authorities of a machine takes longer than many a request
def _context(variable: str, place: str, keys: str | None) -> ssl.SSLContext:
    try:
        if variable:
            file, folder = _locations(variable, place)
            return ssl.create_default_context(cafile=file, capath=folder)
        context = ssl.create_default_context()  # what the machine's administrators trust,
        context.load_verify_locations(cafile=certifi.where())  # and what everybody does, for a machine without any
    except ssl.SSLError as error:
        raise _unusable(variable, place, "there is no certificate in PEM form in it") from error
    except OSError as error:
        if keys and error.filename == keys:
            raise ConfigError(f"SSLKEYLOGFILE names {error.filename}, which can't be written. Unset it.") from error
        raise _unusable(variable, place, f"it can't be read ({error.strerror})") from error
    return context


def _locations(variable: str, place: str) -> tuple[str | None, str | None]:
    """The file or the folder."""
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
