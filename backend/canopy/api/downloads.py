"""Files that are sent while they are made."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import Response, StreamingResponse


async def download(chunks: AsyncGenerator[bytes], media_type: str, name: str) -> Response:
    """Return an answer that is saved under this name. An error before the first chunk is raised, for a real status."""
    first = await anext(chunks)
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamingResponse(_chain(first, chunks), media_type=media_type, headers=headers)


async def _chain(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rest) as chunks:
        yield first
        async for chunk in chunks:
            yield chunk
