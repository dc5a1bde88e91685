"""Redirects, which no client of Canopy follows: they would carry texts, and tokens, to an address nobody configured."""

from urllib.parse import urljoin

from canopy.text.addresses import origin


def redirection(status: int, location: str | None, asked: str, setting: str) -> str | None:
    """What to tell people where an answer is a redirect: the target's origin alone, as the rest may hold secrets."""
    if not (300 <= status < 400 and location):
        return None
    try:
        target = origin(urljoin(asked, location))
    except ValueError:
        target = None
    return (
        f"It redirects to {target or 'elsewhere'} ({status}), which Canopy doesn't follow: put the right address into "
        f"{setting}."
    )
