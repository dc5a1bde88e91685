"""A request whose end two readers could see in different places, and what is hidden behind it."""

import pytest

from tests.attack.conftest import Target
from tests.support.raw import connection, status_of, statuses_of

POST = b"POST /feedback HTTP/1.1\r\nHost: canopy\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
HIDDEN = b"GET /feature-flags HTTP/1.1\r\nHost: canopy\r\n\r\n"

UNCLEAR = {
    "a length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "the same length twice": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 50\r\n\r\n{}",
    "a list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "a negative length": POST + b"Content-Length: -2\r\n\r\n{}",
    "a hexadecimal length": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "an empty length": POST + b"Content-Length: \r\n\r\n",
    "a length that overflows": POST + b"Content-Length: 18446744073709551618\r\n\r\n{}",
    "another coding": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "a coding like chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two codings": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a list with nothing in it": POST + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
    "chunked and then not": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "two headers of coding": POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a coding behind a vertical tab": POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "a coding with a parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "a folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": CHUNKED.replace(b"HTTP/1.1\r\n", b"HTTP/1.0\r\nConnection: keep-alive\r\n") + b"0\r\n\r\n",
    "a space before the colon": POST + b"Content-Length : 0\r\n\r\n",
    "a folded line": POST + b"X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "a header line that begins with a space": b"GET / HTTP/1.1\r\n Host: canopy\r\n\r\n",
    "a header without a colon": POST + b"Nothing\r\n\r\n",
    "a header without a name": POST + b": nothing\r\n\r\n",
    "NUL in a header": POST + b"X-A: b\0c\r\n\r\n",
    "NUL in a name": POST + b"X\0A: b\r\n\r\n",
    "a bare CR": POST + b"X-A: b\rContent-Length: 0\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nHost: canopy\n\n",
    "one bare LF": b"GET / HTTP/1.1\r\nHost: canopy\nX-A: b\r\n\r\n",
    "a bare LF at the end of the head": b"GET / HTTP/1.1\r\nHost: canopy\r\n\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: canopy\r\nHost: other\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/0.9 by name": b"GET / HTTP/0.9\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: canopy\r\n\r\n",
    "HTTP/2 as text": b"GET / HTTP/2.0\r\nHost: canopy\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    "TLS": bytes.fromhex("16030100a5010000a10303"),
    "no method": b"\0\0\0\0\r\n\r\n",
    "an unknown method": b"SMUGGLE / HTTP/1.1\r\nHost: canopy\r\n\r\n",
    "a fragment": b"GET /feature-flags#x HTTP/1.1\r\nHost: canopy\r\n\r\n",
    "NUL in the address": b"GET /\0 HTTP/1.1\r\nHost: canopy\r\n\r\n",
    "bytes beyond ASCII in the address": b"GET /\xff HTTP/1.1\r\nHost: canopy\r\n\r\n",
    "a chunk size in C's notation": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "a negative chunk size": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "a chunk size with a space": CHUNKED + b"2 \r\n{}\r\n0\r\n\r\n",
    "a chunk size in Python's notation": CHUNKED + b"0_2\r\n{}\r\n0\r\n\r\n",
    "no chunk size": CHUNKED + b"\r\n{}\r\n0\r\n\r\n",
    "a chunk size that overflows": CHUNKED + b"10000000000000002\r\n{}\r\n0\r\n\r\n",
    "a chunk that is longer than it says": CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
    "a chunk line that ends with LF": CHUNKED + b"2\n{}\r\n0\r\n\r\n",
    "a chunk that ends with LF": CHUNKED + b"2\r\n{}\n0\r\n\r\n",
    "LF in a chunk's extension": CHUNKED + b"2;a\nb\r\n{}\r\n0\r\n\r\n",
    "CR in a chunk's extension": CHUNKED + b"2;a\rb\r\n{}\r\n0\r\n\r\n",
    "a length among the trailers": CHUNKED + b"2\r\n{}\r\n0\r\nContent-Length: 44\r\n\r\n",
    "a coding among the trailers": CHUNKED + b"2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("request_", UNCLEAR.values(), ids=UNCLEAR.keys())
async def test_hiding_a_request_behind_an_unclear_one(request_: bytes, target: Target) -> None:
    async with connection(target.url) as client:
        await client.send(request_ + HIDDEN * 3)
        answer = await client.rest()
    assert statuses_of(answer) == [400]
    assert b"\r\nconnection: close\r\n" in answer
    assert b"\r\nx-request-id: " in answer
    assert b'"code":"malformed_request"' in answer


@pytest.mark.parametrize("request_", UNCLEAR.values(), ids=UNCLEAR.keys())
async def test_hiding_a_request_behind_an_unclear_one_later(request_: bytes, target: Target) -> None:
    """The hidden request comes when the answer to the first has come."""
    async with connection(target.url) as client:
        await client.send(request_)
        answer = await client.head()
        await client.send(HIDDEN)
        answer += await client.rest()
    assert statuses_of(answer) == [400]


async def test_answering_in_the_middle_of_an_answer(target: Target) -> None:
    """A refusal must not be written into the answer to the request before it."""
    async with connection(target.url) as client:
        await client.send(HIDDEN + b"NONSENSE\r\n\r\n" + HIDDEN)
        answer = await client.rest()
    assert statuses_of(answer) == [200]
    assert answer.endswith(b"}")


async def test_hiding_a_request_behind_the_last(target: Target) -> None:
    for last in (
        HIDDEN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        HIDDEN.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ):
        async with connection(target.url) as client:
            await client.send(last + HIDDEN)
            answer = await client.rest()
        assert len(statuses_of(answer)) == 1


@pytest.mark.parametrize("framing", [b"Content-Length: 200\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nc8\r\n"])
async def test_hiding_a_request_in_a_body_that_nobody_reads(framing: bytes, target: Target) -> None:
    """An address that reads no body answers before the body is there; what follows is body, not a request."""
    async with connection(target.url) as client:
        await client.send(HIDDEN[:-2] + framing)
        answer = await client.head()
        await client.send(HIDDEN)
        answer += await client.rest(within=30)
    assert b"connection: close" in answer
    assert len(statuses_of(answer)) == 1


async def test_trailers_as_headers(target: Target) -> None:
    """`traceparent` gives the request its id, so that the answer shows whether it was taken for a header."""
    trace = b"0af7651916cd43dd8448eb211c80319c"
    trailer = b"traceparent: 00-" + trace + b"-b7ad6b7169203331-01\r\n"
    async with connection(target.url) as client:
        await client.send(CHUNKED.replace(b"\r\n\r\n", b"\r\n" + trailer + b"\r\n") + b"2\r\n{}\r\n0\r\n\r\n")
        assert b"x-request-id: " + trace in await client.head()  # as a header it is read
    async with connection(target.url) as client:
        await client.send(CHUNKED + b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n")
        head = await client.head()
        assert trace not in head
        assert status_of(head) in {401, 422}
