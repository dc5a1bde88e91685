"""Uploads a run's reports to object storage: S3 or a server with its API.

The library reads the usual variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, and AWS_ENDPOINT_URL for
servers other than Amazon's. A pod without keys uses its identity.
"""

import mimetypes
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import from_url

from canopy.base.errors import ConfigError, PublishError
from canopy.base.settings import object_storage_url
from canopy.outgoing.proxies import bypassed_proxy, proxy_for

if TYPE_CHECKING:  # a type of the stubs, which don't exist at run time
    from obstore.store import ClientConfig

_ADDRESS = re.compile(r"s3://[a-z0-9.-]+(/[^\s?#@]*)?")
_ATTEMPT = timedelta(seconds=30)
_PATIENCE = timedelta(minutes=2)  # long enough for a restart of the storage


def upload(folder: Path, address: str, run_id: str) -> str:
    """Copy the files of `folder` to a folder named after the run below `address`, such as `s3://BUCKET/PREFIX`.

    Returns its URL. The same run again replaces its earlier upload. Raises ConfigError for a malformed address, and
    PublishError when the storage refuses or can't be reached.
    """
    if not _ADDRESS.fullmatch(address):
        raise ConfigError(
            "This is no address of a storage; give one such as s3://BUCKET/PREFIX, and keys in the environment."
        )
    place = f"{address.rstrip('/')}/{run_id}"
    store = from_url(
        place,
        # Only an operator can have set an http:// endpoint.
        client_options={"allow_http": True, "timeout": _ATTEMPT, **_proxies()},
        retry_config={"max_retries": 5, "retry_timeout": _PATIENCE},
    )
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        kind, _ = mimetypes.guess_type(file.name)
        try:
            obstore.put(
                store,
                file.relative_to(folder).as_posix(),
                file,
                attributes={"Content-Type": kind or "application/octet-stream"},  # so that a browser shows the page
            )
        except (BaseError, OSError) as error:
            raise PublishError(f"{place}: {_said(error)}") from error
    return place


def _proxies() -> "ClientConfig":
    """Return options for proxies, which the library doesn't read itself. Raises PublishError for unusable ones."""
    address = object_storage_url()
    if (proxy_for(address) or "").startswith("socks"):
        raise PublishError("Uploads can't go through a SOCKS proxy (ALL_PROXY): name the storage's host in NO_PROXY.")
    passed = bypassed_proxy(address)
    return {"proxy_url": passed[0], "proxy_excludes": passed[1]} if passed else {}


def _said(error: Exception) -> str:
    """Return why it failed, without the details that the library or the server adds for developers."""
    if code := re.search(r"<Code>(\w+)</Code>", str(error)):
        return f"the storage refuses ({code[1]})."
    if redirect := re.search(r"status code: (3\d\d)", str(error)):
        where = "look at AWS_ENDPOINT_URL and AWS_REGION"
        return f"the storage redirects ({redirect[1]}), which Canopy doesn't follow; {where}."
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return "the storage refuses the credentials; look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    if isinstance(error, NotFoundError | FileNotFoundError):
        return "there is no such bucket."
    return "the storage can't be reached; look at AWS_ENDPOINT_URL and AWS_REGION."
