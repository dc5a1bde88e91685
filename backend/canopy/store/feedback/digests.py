"""Digests that stand for texts and for whoever votes, in 32 hex digits.

They raise UnicodeEncodeError for lone surrogates, which no database can hold either.
"""

from hashlib import blake2b


def digest(*parts: str) -> str:
    """Of a few short texts; no two lists of texts share one."""
    lengths = ",".join([str(len(part)) for part in parts])
    return blake2b(f"{lengths};{''.join(parts)}".encode(), digest_size=16).hexdigest()


def slot_of(subject: str, voter: str, name: str) -> str:
    """Of the place that holds one vote: a voter's under a name on a subject, by the subject's key."""
    return digest(subject, voter, name)


def digests(input_text: str, response_text: str) -> tuple[str, str]:
    """Of the input, and of both texts. The same for a generation and for a vote on its texts."""
    of_input = blake2b(input_text.encode(), digest_size=16).hexdigest()
    both = blake2b(of_input.encode() + response_text.encode(), digest_size=16).hexdigest()
    return of_input, both
