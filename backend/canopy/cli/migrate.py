"""`canopy migrate`: bring the database's schema up to date, or check whether it is."""

import sys

import click

from canopy.cli.common import read_settings, report_errors
from canopy.cli.terminal import say

_STATUS = {"current": 0, "behind": 3, "ahead": 4}


@click.command()
@click.option("--check", is_flag=True, help="Look only, and change nothing.")
@report_errors
def migrate(*, check: bool) -> None:
    """Bring the database's schema up to date, as the server does by itself when it starts.

    \b
    Exit status with --check, without an error in the database:
      0  the schema is this version's
      3  it is behind: the next start brings it up to date, or there is no database yet
      4  it is ahead: a newer version made it, and this one runs on it as it is

    1 means that the database can't be used, or is too new for this version; the sentence says which.
    """
    from canopy.store.opening import migrate_database, read_schema

    url = read_settings().store_url.get_secret_value()
    found = read_schema(url) if check else migrate_database(url)
    at = f"the schema is {found.revision or 'not made yet'}, this version's is {found.head}"
    if found.state == "current":
        say(f"Up to date: the schema is {found.revision}, as this version's.")
    elif found.state == "behind":
        say(f"Behind: {at}. The next start brings it up to date.")
    else:
        say(f"Ahead: {at}. A newer version made it, and this one runs on it as it is.")
    sys.exit(_STATUS[found.state] if check else 0)
