"""Normalizes line ends, blank texts and end-of-turn marks, which servers and models spell in their own ways."""

import unicodedata

# End-of-turn tokens of model families, which some servers send as text behind the answer.
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
_UNDECIDED = 65_536  # bytes without a line end after which LF and CRLF are assumed


class LineEnds:
    """Turns CR into LF in a body that ends its lines with CR alone; the first line decides, LF and CRLF stay."""

    def __init__(self) -> None:
        self.needs_normalizing = True  # or it isn't known yet
        self.held = b""  # the bytes so far, while it isn't known
        self._alone = False

    def normalize(self, data: bytes) -> bytes:
        """Return the bytes with CR replaced where needed; holds back bytes until the first line has ended."""
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
        self.needs_normalizing = False
        return data


def is_blank(text: str) -> bool:
    """Return whether a text shows nothing: white space and characters without a width only."""
    return all(sign.isspace() or unicodedata.category(sign) in ("Cf", "Cc") for sign in text)


def split_end_mark(text: str) -> tuple[str, str]:
    """Split a text into the answer and its tail that may be end-of-turn marks, or the beginning of one."""
    end = len(text.rstrip())
    at = end
    while (begin := text.rfind("<", max(0, at - _LONGEST_MARK), at)) >= 0:
        piece = text[begin:at].rstrip()
        if piece not in _END_MARKS and not (at == end and any(mark.startswith(piece) for mark in _END_MARKS)):
            break
        at = begin
    return (text[:at], text[at:]) if at < end else (text, "")


def is_end_mark(ending: str) -> bool:
    """Return whether the tail that `split_end_mark` returned ends with a complete mark."""
    return ending.rstrip().endswith(tuple(_END_MARKS))
