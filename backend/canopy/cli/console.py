"""Rich's console for tables and progress bars, without control characters from texts."""

from collections.abc import Iterable
from typing import override

import rich.console
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

from canopy.cli.terminal import clean


class Console(rich.console.Console):
    """Shows texts as they are: without markup, highlighting or control characters."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)

    @override
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):  # Rich's own control codes are separate segments
            yield segment if segment.control else Segment(clean(segment.text), segment.style)
