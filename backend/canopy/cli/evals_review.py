"""`canopy evals review`: a person says what a good answer would be, in the terminal."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from canopy.base.errors import CanopyError
from canopy.cli.common import pluralize, read_settings, report_errors
from canopy.cli.terminal import ask, edit, page, say, style

if TYPE_CHECKING:
    import httpx

    from canopy.evals.suites.review import KnownText, ReviewedAnswer, ReviewSession

_SHOWN_LINES = 12
_SHOWN_CHARS = 900
_RULE = "------ Write the expected result above this line. What is below it is only to look at. ------"
_KEYS = "[E]dit  [s]kip  [b]ack  whole [t]ext  [q]uit"
_TAKE = "take what the [v]oter says"
_SAY = "the answer is [f]ine  [d]ismiss"


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--backend", metavar="URL", help="Show what this Canopy knows: the bad responses, and why they were bad.")
@report_errors
def review(file: Path, backend: str | None) -> None:
    """Walk through the cases of FILE that await review, and say what a good answer would be.

    `e` or Enter opens your editor ($EDITOR). What you write there is saved in FILE at once; comments and layout stay.
    `s` skips a case, `b` goes back, `t` shows a long text whole, `q` ends. With --backend `v` takes what a voter says a
    good answer would be; `f` (the answer is fine) and `d` (dismiss) tell that Canopy, whose next export leaves the text
    out. CANOPY_EVALS_TOKEN is the backend's token.

    \b
    Example:
      canopy evals review canopy-evals/Summary/feedback_tests.yaml --backend http://127.0.0.1:8000
    """
    from canopy.evals.run.backend import checked_url
    from canopy.evals.suites.review import ReviewSession

    address = checked_url(backend, "--backend") if backend else None
    session = ReviewSession.begin(file)
    if not session.prompts:
        say(f"Nothing in {file} awaits review.")
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(
            f"This needs a terminal to ask you in. {pluralize(len(session.prompts), 'case')} of {file} can also be "
            "filled in with any editor (`expected_result`), or on the dashboard (/feedback, Export for Evaluation)."
        )
    try:
        if address is None:
            _walk(session, {}, None)
        else:
            _walk_beside(session, address)
    except click.Abort:
        say()
    left = len(session.prompts) - len(session.written)
    say(f"{pluralize(len(session.written), 'case')} reviewed and saved in {file}; {left:,} still to do.")


def _walk_beside(session: "ReviewSession", backend: str) -> None:
    from canopy.evals.suites.review import known_texts
    from canopy.outgoing.clients import client

    with client(backend, token=read_settings().evals_bearer_token, timeout=30) as http:
        _walk(session, known_texts(http), http)


def _walk(session: "ReviewSession", texts: dict[str, "KnownText"], backend: "httpx.Client | None") -> None:
    while (prompt := session.prompt) is not None:
        text = texts.get(prompt)
        known = text.answers if text else []
        suggested = text.suggestions[0] if text and text.suggestions else None
        _show(session, prompt, known, suggested)
        offered = [_KEYS, *([_TAKE] if suggested else []), *([_SAY] if text and text.items else [])]
        keys = "esbtq" + ("v" if suggested else "") + ("fd" if text and text.items else "")  # Enter is the first
        while True:
            match ask("  ".join(offered), keys):
                case "e" if not _edit(session, prompt, known):
                    continue
                case "v" if suggested and not _save(session, suggested):
                    continue
                case ("f" | "d") as key if text and backend and not _say_of(session, backend, text, key):
                    continue
                case "s":
                    session.position += 1
                case "b":
                    session.position = max(session.position - 1, 0)
                case "t":
                    page(_whole(prompt, known))
                case "q":
                    return
            break


def _say_of(session: "ReviewSession", backend: "httpx.Client", text: "KnownText", key: str) -> bool:
    """Tell the backend, and go on; False if it did not take it."""
    from canopy.evals.suites.review import say_of

    try:
        say_of(backend, text, "fine" if key == "f" else "dismiss")
    except CanopyError as error:
        say(error.sentence)
        return False
    say(style("Canopy knows. The next export leaves it out, and the next merge takes it out of this file.", fg="green"))
    session.position += 1
    return True


def _show(session: "ReviewSession", prompt: str, answers: list["ReviewedAnswer"], suggested: str | None) -> None:
    heading = f"Case {session.position + 1:,} of {len(session.prompts):,}"
    say(f"\n{style(heading, bold=True)}, {len(session.written):,} reviewed\n")
    say(_shortened(prompt))
    for verdict, text in told_once(answers):
        say(f"\n{style(verdict, fg='red')}")
        say(_shortened(text))
    if suggested is not None:
        say(f"\n{style('A voter says it should have said', fg='cyan')}\n{_shortened(suggested)}")
    if (written := session.written.get(prompt)) is not None:
        say(f"\n{style('Expected, as you wrote', fg='green')}\n{_shortened(written)}")
    say()


def told_once(answers: list["ReviewedAnswer"]) -> list[tuple[str, str]]:
    """Return what was said of each answer and its text; the same words of the same answer once, with how often."""
    told: dict[tuple[str, str, str], int] = {}
    for it in answers:
        key = ", ".join([it.rating, *it.reasons]), it.comment or "", it.text
        told[key] = told.get(key, 0) + 1
    return [
        (f"A bad answer ({why})" + (f", {n:,} times" if n > 1 else "") + (f": {comment}" if comment else ""), text)
        for (why, comment, text), n in told.items()
    ]


def _edit(session: "ReviewSession", prompt: str, answers: list["ReviewedAnswer"]) -> bool:
    """Let the person write an expected result, and save it. Returns False if nothing was written."""
    before = session.written.get(prompt, "")
    edited = edit(before, f"\n\n{_RULE}\n\n{_whole(prompt, answers)}\n")
    expected = (edited or "").partition(_RULE)[0].strip()
    if not expected or expected == before:
        say("Nothing new was written.")
        return False
    return _save(session, expected)


def _save(session: "ReviewSession", expected: str) -> bool:
    try:
        session.write(expected)
    except CanopyError as error:
        say(f"{error.sentence}\nYou wrote:\n\n{expected}\n")
        return False
    say(style("Saved.", fg="green"))
    return True


def _whole(prompt: str, answers: list["ReviewedAnswer"]) -> str:
    parts = [f"The text:\n\n{prompt}", *(f"{verdict}\n\n{text}" for verdict, text in told_once(answers))]
    return "\n\n".join(parts)


def _shortened(text: str) -> str:
    shown = "\n".join(text[:_SHOWN_CHARS].splitlines()[:_SHOWN_LINES])
    return shown + ("" if shown == text else style(" …", dim=True))
