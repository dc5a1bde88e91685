"""How lines, texts and turns end, where servers and models do it in their own way."""

import unicodedata

# Ends of a turn in models' own languages, which some servers send behind the text or as the last piece of it.
_END_MARKS = {
    *("<|eot_id|>", "<|end_of_text|>", "<|im_end|>", "<|endoftext|>", "<|eom_id|>", "<end_of_turn>", "</s>", "<eos>"),
    *(
        "<|end|>",
        "<|return|>",
        "<|END_OF_TURN_TOKEN|>",
        "<|END_RESPONSE|>",
        "<|eos|>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
    ),
}
_LONGEST_MARK = max(map(len, _END_MARKS))
_UNDECIDED = 65_536  # bytes within which the first line ends, or else its kind doesn't matter


class LineEnds:
    """The ends of a body's lines: LF and CRLF are read as they are, CR alone becomes LF. The first line decides."""

    def __init__(self) -> None:
        self.unusual = True  # or not known yet
        self.held = b""  # all so far, while it is not known
        self._alone = False

    def usual(self, data: bytes) -> bytes:
        """The bytes with the usual ends."""
        if self._alone:
            return data.replace(b"\r", b"\n")
        data, self.held = self.held + data, b""
        at = data.find(b"\r")
        if at >= 0 and at + 1 < len(data) and b"\n" not in data[: at + 2]:
            self._alone = True
            return data.replace(b"\r", b"\n")
        if b"\n" not in data and len(data) < _UNDECIDED:
            self.held = data
            return b""
        self.unusual = False
        return data


def is_blank(text: str) -> bool:
    """Whether nobody sees anything of a text: white space, and signs without a width."""
    return all(sign.isspace() or unicodedata.category(sign) in ("Cf", "Cc") for sign in text)


def without_end_mark(text: str) -> tuple[str, str]:
    """The text, and behind it what may be marks of a turn's end, or the beginning of one if more follows."""
    end = len(text.rstrip())
    at = end
    while (begin := text.rfind("<", max(0, at - _LONGEST_MARK), at)) >= 0:
        piece = text[begin:at].rstrip()
        if piece not in _END_MARKS and not (at == end and any(mark.startswith(piece) for mark in _END_MARKS)):
            break
        at = begin
    return (text[:at], text[at:]) if at < end else (text, "")


def is_end_mark(ending: str) -> bool:
    """Whether what `without_end_mark` found behind a text is whole."""
    return ending.rstrip().endswith(tuple(_END_MARKS))
