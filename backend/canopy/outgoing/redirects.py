"""Redirects, which no client follows: texts and tokens would go to a URL that nobody configured."""

from urllib.parse import urljoin

from canopy.text.addresses import origin


def redirection(status: int, location: str | None, asked: str, setting: str) -> str | None:
    """Describe a redirect's target by its origin only, as the rest may be secret; None if the response is none."""
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
