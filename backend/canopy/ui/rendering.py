"""Renders templates to HTML and serves the static files of the pages."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from canopy.base.clock import iso
from canopy.base.ratings import RATING_WORDS, THUMBS, RatedRecord, Rating, in_words
from canopy.config.features import is_conversation
from canopy.stats.intervals import percent
from canopy.store.feedback.query import Feedback
from canopy.ui import satisfaction_chart, usage_charts, win_rate_chart
from canopy.ui.excerpts import CHARS, first_line, first_words, row_line
from canopy.ui.features import page_of
from canopy.ui.formatted import markup
from canopy.ui.sections import section_links

_HERE = Path(__file__).parent
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """Holds a static file as it is served."""

    content: bytes
    media_type: str
    etag: str


class Renderer:
    """Renders the pages. Everything is escaped, and a missing variable is an error.

    `version` is a hash of all static files. It is a folder in their URLs, so that they can be cached for ever and the
    scripts' relative imports need no build step.
    """

    def __init__(self) -> None:
        self._assets = {path.name: _read(path) for path in sorted((_HERE / "static").iterdir())}
        self.version = _hash("".join(asset.etag for asset in self._assets.values()).encode())
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["asset"] = self._address
        self._environment.globals["script"] = self._script
        self._environment.globals["stylesheet"] = self._stylesheet
        self._environment.globals["geometry"] = satisfaction_chart
        self._environment.globals["usage_geometry"] = usage_charts
        self._environment.globals["sections"] = section_links
        self._environment.globals["thumbs"] = THUMBS
        self._environment.globals["rating_words"] = RATING_WORDS
        self._environment.globals["ab_geometry"] = win_rate_chart
        self._environment.filters.update(
            coded=_coded,
            first_line=first_line,
            first_words=first_words,
            markup=markup,
            moment=_moment,
            page=page_of,
            number=_number,
            parameters=_parameters,
            percent=_percent,
            rating=_rating,
            row_line=row_line,
            short_id=_short_id,
            size=_size,
            timing=_timing,
            whole=_whole,
            tokens=_tokens,
            utc=_utc,
            with_article=_with_article,
            words=in_words,
        )

    def page(self, template: str, values: Mapping[str, Any]) -> str:
        """Render `template`, such as `feature.html`."""
        return self._environment.get_template(template).render(values)

    def asset(self, name: str) -> Asset | None:
        """Return a static file, or several style sheets as one: `canopy+dashboard.css`. None for what isn't there."""
        stems = name.removesuffix(".css").split("+")
        if name in self._assets or len(stems) == 1:
            return self._assets.get(name)
        found = [self._assets.get(f"{stem}.css") for stem in stems]
        sheets = [it.content for it in found if it]
        if len(sheets) < len(found) or len(stems) > len(set(stems)):
            return None
        return _asset(b"\n".join(sheets), ".css")

    def _address(self, name: str) -> str:
        if self.asset(name) is None:
            raise LookupError(f"A template asks for {name}, which is no static file.")
        return f"/ui/{self.version}/{name}"

    def _stylesheet(self, names: str) -> str:
        """Return the address of these style sheets as one: nothing is painted before all have come."""
        name = f"{'+'.join(names.split())}.css"
        if name not in self._assets and (whole := self.asset(name)):
            self._assets[name] = whole  # those that pages ask for, not what anybody puts together
        return self._address(name)

    def _script(self, name: str) -> Markup:
        """Return the element that loads a script. It may come later than what the page looks like."""
        return Markup('<script type="module" fetchpriority="low" src="{}"></script>').format(self._address(name))


def _read(path: Path) -> Asset:
    return _asset(path.read_bytes(), path.suffix)


def _asset(content: bytes, suffix: str) -> Asset:
    return Asset(content, _TYPES[suffix], f'"{_hash(content)}"')


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _moment(microseconds: int) -> Markup:
    """Return a time for people, in UTC, with the exact one for programs; `times.js` makes it the browser's own time."""
    text = _utc(microseconds)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso(microseconds), text, text)


def _utc(microseconds: int) -> str:
    at = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def _number(value: int) -> str:
    return f"{value:,}"


def _percent(share: float | None) -> str:
    return "no votes" if share is None else percent(share)


def _coded(sentence: str) -> Markup:
    """Return a sentence with its backticked parts as code."""
    plain, *pieces = sentence.split("`")
    code = Markup("<code>{}</code>")
    return Markup("").join([plain, *(piece if index % 2 else code.format(piece) for index, piece in enumerate(pieces))])


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[:1] in "aeiou" else f"a {noun}"


def _short_id(identifier: str) -> str:
    """Return the first eight characters of a content hash, after its algorithm."""
    return identifier.rpartition(":")[2][:8]


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def _rating(record: RatedRecord) -> str:
    return Rating.of(record).words


def _whole(feedback: Feedback) -> bool:
    """Return whether an entry's texts are complete, not excerpts."""
    conversation = (
        feedback.messages is not None or not is_conversation(feedback.feature) or feedback.generation_id is None
    )
    return (
        conversation
        and len(feedback.input_text) == feedback.input_length
        and len(feedback.response_text) == feedback.response_length
        and len(feedback.prompt_text or "") < CHARS
    )


def _parameters(feedback: Feedback) -> str:
    return ", ".join(f"{in_words(name).lower()} {value}" for name, value in (feedback.parameters or {}).items())


def _timing(feedback: Feedback) -> str:
    first = feedback.time_to_first_token
    before = "" if first is None else f", first token after {_seconds(first)}"
    return f"{_seconds(feedback.duration or 0)}{before}"


def _size(bytes_: int) -> str:
    """Return a number of bytes in the unit in which it has three digits at most."""
    size, unit = float(bytes_), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"


def _tokens(feedback: Feedback) -> str:
    counts = ((feedback.input_tokens, "in"), (feedback.output_tokens, "out"))
    return ", ".join(f"{n:,} {way}" for n, way in counts if n is not None)
