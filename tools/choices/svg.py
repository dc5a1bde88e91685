"""Draws plain charts as SVG, readable on light and dark pages."""

from collections.abc import Sequence
from html import escape

WIDTH = 760
BLUE, RED, GREY, INK = "#1d5fa8", "#b3261e", "#8a8f98", "#1f2328"
type Points = Sequence[tuple[float, float]]


class Canvas:
    """A picture on white, whose parts are drawn in the order in which they are asked for; lengths are in pixels."""

    def __init__(self, height: float, title: str) -> None:
        self._head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" '
            'font-family="system-ui, sans-serif" font-size="14">'
        )
        self._parts = [f"<title>{escape(title)}</title>", f'<rect width="{WIDTH}" height="{height:g}" fill="#fff"/>']
        self.text(16, 26, title, bold=True)

    def text(self, x: float, y: float, text: str, *, colour: str = INK, end: str = "start", bold: bool = False) -> None:
        """Write a line; `end` says what of it is at `x`: start, middle or end."""
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{end}"{weight}>{escape(text)}</text>'
        )

    def line(self, points: Points, colour: str = INK, *, width: float = 1.5, dashed: bool = False) -> None:
        """Draw from point to point."""
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(
            f'<polyline points="{_listed(points)}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashes}/>'
        )

    def area(self, points: Points, colour: str) -> None:
        """Fill what lies between the points, so that what is behind it is seen."""
        self._parts.append(f'<polygon points="{_listed(points)}" fill="{colour}" fill-opacity="0.2"/>')

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """Fill a rectangle."""
        self._parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:g}" fill="{colour}"/>')

    def dot(self, x: float, y: float, colour: str) -> None:
        """Mark a point."""
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>')

    def to_svg(self) -> str:
        """The file's text."""
        return "\n".join([self._head, *self._parts, "</svg>", ""])


def _listed(points: Points) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
