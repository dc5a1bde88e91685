"""What Canopy tells people to type: commands and blocks in its pages, and commands in what it prints and ships."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.docs import ROOT

PROGRAMS = (
    r"(?:canopy|make|helm|kubectl|oc|curl|git|psql|promtool|python3?|pip|openssl|sqlite3|argocd|opentelemetry-instrument"
    r"|pg_dump|pg_restore|podman|docker|cosign|pre-commit|tkn|jq|sed|npm|apt-get)"
)
_INLINE = re.compile(rf"`((?:\.venv/bin/)?{PROGRAMS} [^`]+)`")
_BEGUN = re.compile(rf"`(?:\.venv/bin/)?{PROGRAMS} ")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_EXAMPLE = re.compile(rf"^ {{2,}}(?:\\b)?({PROGRAMS} [^\n]*?)(?: {{2,}}.*)?$", re.MULTILINE)
_HEREDOC = re.compile(r"<<-?'?(\w+)'?")
SHELL = {"sh", "bash", "console"}


@dataclass(frozen=True, slots=True)
class Advice:
    """Something to type: a command as it stands, or a block in another language."""

    where: str
    language: str
    text: str


def pages() -> list[Path]:
    """The pages that tell people what to do. The changelog and the decisions tell what was done."""
    top = ("README", "CONTRIBUTING", "SECURITY")
    found = [*(ROOT / f"{name}.md" for name in top), *(ROOT / "docs").glob("*.md")]
    return sorted(
        [*found, *(path for top in ("gitops", "helm", "bench", "canopy-evals") for path in (ROOT / top).rglob("*.md"))]
    )


@cache
def collected() -> list[Advice]:
    """All of it, each text of a place once."""
    return list(dict.fromkeys([*_of_pages(), *_of_messages(), *_of_what_is_shipped()]))


def spoken(program: str) -> list[str]:
    """What is advised of a program: each part of a pipeline by itself, without what a shell does with it."""
    texts = [advice.text for advice in collected() if advice.language == "command"]
    parts = [part.removeprefix(".venv/bin/") for text in texts for part in _parts(text)]
    return sorted({part for part in parts if part.startswith(f"{program} ")})


def _parts(command: str) -> Iterator[str]:
    """The commands of a pipeline, each up to where a shell redirects it."""
    cut = re.split(r"""((?:"[^"]*"|'[^']*'|[^"'|<>])+)""", command)
    for before, part in zip(cut[::2], cut[1::2], strict=False):
        if before in {"", "|"}:
            yield part.strip()


def commands(block: str) -> Iterator[str]:
    """The commands of a block for a shell: of a transcript what follows `$ `. The lines of heredocs are none."""
    transcript = "$ " in {line[:2] for line in block.splitlines()}
    lines = iter(block.splitlines())
    for line in lines:
        if transcript and not line.startswith("$ "):
            continue
        command = line.removeprefix("$ ").strip()
        if not command or command.startswith("#"):
            continue
        while command.endswith(("\\", "|")):
            command = f"{command.removesuffix('\\')}{' ' * command.endswith('|')}{next(lines).strip()}"
        if heredoc := _HEREDOC.search(command):
            for inside in lines:
                if inside == heredoc[1]:
                    break
        yield re.sub(r" {2,}# .*$", "", command)


def _of_pages() -> Iterator[Advice]:
    for page in pages():
        where, text = str(page.relative_to(ROOT)), page.read_text()
        for indent, language, block in FENCE.findall(text):
            plain = re.sub(rf"^{indent}", "", block, flags=re.MULTILINE)
            if language in SHELL:
                yield from (Advice(where, "command", command) for command in commands(plain))
            elif language:
                yield Advice(where, language, plain)
        yield from _inline(where, FENCE.sub("", text))


def _of_messages() -> Iterator[Advice]:
    """What the code says: whatever is in backticks in its texts, and the examples of commands."""
    for path in sorted((ROOT / "backend/canopy").rglob("*.py")):
        where, source = str(path.relative_to(ROOT)), path.read_text()
        if path.parent.name != "cli" and not _BEGUN.search(source):
            continue
        tree = ast.parse(source)
        own = {id(statement.value) for statement in tree.body if isinstance(statement, ast.Expr)}  # for readers of code
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            text = _text(node)
            if text is None or id(node) in own | inside:
                continue
            yield from _inline(where, text)
            if path.parent.name == "cli":
                yield from (Advice(where, "command", found) for found in _EXAMPLE.findall(text))


def _of_what_is_shipped() -> Iterator[Advice]:
    notes = ROOT / "helm/canopy/templates/NOTES.txt"
    for command in re.findall(rf"(?:^|: +)({PROGRAMS} .*)$", notes.read_text(), re.MULTILINE):
        yield Advice(str(notes.relative_to(ROOT)), "command", re.sub(r"\{\{.*?\}\}", "canopy", command))
    shipped = [path for top in ("gitops", "helm", "canopy-evals") for path in (ROOT / top).rglob("*.y*ml")]
    templates = [*(ROOT / "helm/canopy/templates").iterdir(), *(ROOT / "backend/canopy/ui/templates").iterdir()]
    for path in sorted([*shipped, *templates]):
        if path.suffix in {".yaml", ".tpl"}:
            yield from _inline(str(path.relative_to(ROOT)), path.read_text())
        found = re.findall(rf"<code>({PROGRAMS} [^<]+)</code>", path.read_text())
        yield from (Advice(str(path.relative_to(ROOT)), "command", command) for command in found)


def _inline(where: str, text: str) -> Iterator[Advice]:
    for command in _INLINE.findall(text):
        yield Advice(where, "command", " ".join(command.replace("\n#", " ").split()))


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
