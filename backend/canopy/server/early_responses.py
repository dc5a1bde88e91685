"""Responses to requests that the application never sees."""

from collections.abc import Sequence

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from canopy.base.errors import CanopyError
from canopy.text import json_lines


def response_bytes(error: CanopyError, request_id: str, default_headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the complete HTTP response to an error, which closes the connection."""
    body = json_lines.dump({"detail": error.sentence, "code": error.code, "request_id": request_id})
    headers = [
        *default_headers,
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", request_id.encode()),
        (b"connection", b"close"),
    ]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(error.retry_after).encode()))
    return b"".join([STATUS_LINE[error.status], *(b"%s: %s\r\n" % header for header in headers), b"\r\n", body])
