"""Explains why a database can't be used, and what to do, by what PostgreSQL, SQLite and poolers say.

A connection that fails has no code, only words, and poolers have words of their own. Sentences name neither user nor
host: whoever asks for readiness may read them, but not words that are only `Quoted`.
"""

import re

from sqlalchemy.exc import DBAPIError, OperationalError

from canopy.text.addresses import without_credentials


class Quoted(str):
    """Holds a cause in the server's own words, which may name hosts and users: for the log and reviewers alone."""

    __slots__ = ()


class Lasting(str):
    """Holds a cause that stays until somebody changes something, so that trying again doesn't help."""

    __slots__ = ()


_URL = "CANOPY_STORE_URL"
_LONGEST = 200  # characters of what a server says that are shown
_LOOKED_AT = 4_000  # characters of it that are searched
_WHERE = re.compile(r'connection (?:to server )?at "[^"]*"(?: \([^()]*\))?, port \d+ failed: |connection failed: ')
_NAMED = re.compile(r'"[^"]*"')

REPLICA = (
    f"The server is a replica, or read-only: name the primary in {_URL}, or all hosts with "
    "`target_session_attrs=read-write`."
)

_NOT_LET_IN = (
    "The server doesn't let this user in from here: add an entry to its `pg_hba.conf` or its list of networks."
)

# The first that is found counts: where TLS is tried and then left out, the text has the failures of both.
_POSTGRES = [
    (
        r"could not translate host name|failed to resolve host",
        f"The name of the host in {_URL} can't be resolved: correct it, or see to the DNS.",
    ),
    (
        r"tenant.{0,80}not found|no tenant identifier|ENOIDENTIFIER",
        Lasting(
            f"The pooler doesn't know the user in {_URL}: a shared pooler, such as Supabase's, wants `USER.PROJECT`."
        ),
    ),
    (
        r'role ".{0,80}" does not exist|no such user|role ".{0,80}" is not permitted to log in',
        Lasting(
            f"The database has no such user (role), or none that may log in: create it, or correct the user in {_URL}."
        ),
    ),
    (r"no password supplied", Lasting(f"The server wants a password, and neither {_URL} nor `PGPASSWORD` has one.")),
    (
        r"authentication failed|wrong password|invalid SCRAM|error received from server in SCRAM",
        Lasting(
            f"The server refused the password: correct user and password in {_URL} or `PGPASSWORD` (in the address "
            "`@`, `:`, `/`, `?` and `%` are written %40, %3A, %2F, %3F and %25)."
        ),
    ),
    (
        r'database ".{0,80}" does not exist|no such database|database not found',
        Lasting(f"The server has no such database: create it (`createdb NAME`), or correct its name in {_URL}."),
    ),
    (
        r"certificate verify failed|self.signed certificate",
        Lasting(
            f"The server's certificate is not trusted: give its authority with `sslrootcert=FILE` in {_URL} "
            "(`sslrootcert=system` for those that the system trusts)."
        ),
    ),
    (
        r"root certificate file",
        Lasting(
            "`sslmode` asks for a check of the server's certificate, and the file with its authority can't be read: "
            f"name it with `sslrootcert=FILE` in {_URL} (`sslrootcert=system` for those that the system trusts)."
        ),
    ),
    (
        r"server certificate for .{0,300} does not match host name",
        Lasting(f"The server's certificate is for another name: use that name as the host in {_URL}."),
    ),
    (
        r"SSL was required|does not support SSL",
        Lasting(
            f"The server has no TLS, which `sslmode` in {_URL} asks for: turn it on there, or take `sslmode` out where "
            "nobody listens in between."
        ),
    ),
    (r"pg_hba\.conf (?:rejects|.{0,300}SSL encryption)", Lasting(_NOT_LET_IN)),
    (
        r"no encryption|SSL off|connection is insecure|(?:SSL|TLS)(?:/TLS)?(?: connection)?s?(?: is| are)? required|"
        r"requires? (?:an? )?(?:SSL|TLS)|without SSL",
        Lasting(f"The server takes connections with TLS alone: add `sslmode=verify-full` (or `require`) to {_URL}."),
    ),
    (r"pg_hba\.conf", Lasting(_NOT_LET_IN)),
    (
        r"too many clients|too many connections|connection slots|no more connections allowed|max ?clients?|"
        r"max_client_conn|connection limit exceeded",
        "The server's connections are all in use: raise its limit, end what holds them, or put a pooler in between "
        "(each replica of Canopy takes up to 9).",
    ),
    (
        r"query_wait_timeout",
        "The pooler had no connection to the server free in time: raise its pool (PgBouncer's `default_pool_size`).",
    ),
    (
        r"server.login.{0,80}fail|server_login_retry|cannot connect to server|server conn crashed|connect timeout|"
        r"server_connect_timeout|pgbouncer database is|is paused",
        "The pooler answers, and the server behind it doesn't: look at the pooler's log.",
    ),
    (
        r"startup parameter|command-line options",
        Lasting(f"The pooler refuses a parameter of {_URL} (`options`, say): take it out."),
    ),
    (r"statement pool", Lasting("The pooler is in statement mode: Canopy needs transaction or session mode.")),
    (
        r"prepared statement .{0,80} (?:does not exist|already exists)",
        Lasting(
            f"A pooler in transaction mode is in between and looks like the server itself: add "
            f"`pgbouncer=true` to {_URL}."
        ),
    ),
    (
        r"invalid \S{1,40} value|invalid integer value|invalid port number|bad value for",
        Lasting(
            f"A parameter in {_URL} has a value that means nothing there: correct it, such as `sslmode=require` and "
            "`connect_timeout=5`, or take it out."
        ),
    ),
    (r"read-only|hot standby", REPLICA),
    (
        r"starting up|shutting down|recovery mode|not yet accepting|administrator command",
        "The server is starting or stopping: it should answer in a moment.",
    ),
    (
        r"permission denied for",
        Lasting(
            "The user may not use or make tables here: `GRANT USAGE, CREATE ON SCHEMA public TO` it, or make it "
            "the owner."
        ),
    ),
    (
        r"relation .{0,200} does not exist",
        Lasting("The tables are gone from the database: restore a backup, or restart Canopy, which makes empty ones."),
    ),
    (
        r"received invalid response|expected authentication request|unexpected response from server",
        Lasting(f"What answers there is no PostgreSQL: correct host and port in {_URL}."),
    ),
    (r"refused", f"Nothing listens at that host and port: start the server, or correct the address in {_URL}."),
    (
        r"closed the connection|connection is (?:lost|closed)|connection reset|SYSCALL|EOF detected",
        "The connection broke off: the server, or a pooler in between, was stopped or gave it up.",
    ),
    (
        r"No route to host|Network is unreachable|cannot assign requested address",
        f"The network has no way to the host: correct it in {_URL}. A host with IPv6 alone needs IPv6 here as well.",
    ),
    (
        r"said nothing",
        "The server took a statement and gave no answer: is its disk stuck, is it overloaded or stopped?",
    ),
    (
        r"time.?out expired|timed out",
        f"The server didn't answer in time: correct the address in {_URL}, see to it that no firewall or NetworkPolicy "
        "is in between and, where that is the address of a pooler, that the server behind it runs.",
    ),
    (r"lock timeout", "Another process holds a lock in the database for too long: `pg_stat_activity` has which."),
    (r"No space left", "The server's disk is full."),
]
_SQLITE = [
    (r"FULL", "The volume is full."),
    (r"READONLY", Lasting("The file or its volume is read-only: let this process write it, and its folder.")),
    (r"CANTOPEN|PERM|AUTH", Lasting("The file can't be opened: let this process read and write it, and its folder.")),
    (r"NOTADB|CORRUPT", Lasting("The file is no SQLite database, or is damaged: restore a backup.")),
    (r"BUSY|LOCKED", "Another process has had the file locked for too long: one server at a time has it."),
    (
        r"PROTOCOL|IOERR.{0,80}LOCK|NOLFS",
        Lasting("The volume's locks don't work, as on some network volumes: use another one."),
    ),
    (r"IOERR", "The volume can't be read or written."),
]
_NO_TABLE = "The tables are gone from the file: restore a backup, or restart Canopy, which makes empty ones."


def cause(error: BaseException) -> str | None:
    """Return the sentence that says why and what to do.

    For what is not known it is the server's own words, without names; for what isn't a database's error it is None.
    """
    if not isinstance(error, DBAPIError) or error.orig is None:
        return None
    words = str(error.orig)[:_LOOKED_AT]
    if name := getattr(error.orig, "sqlite_errorname", None):
        if words.startswith("no such table"):
            return _NO_TABLE
        return _first(_SQLITE, name)
    if found := _first(_POSTGRES, words):
        return found
    # Others than this kind may quote what people wrote.
    return Quoted(f"The server said: “{_shortened(words)}”.") if isinstance(error, OperationalError) else None


def _first(causes: list[tuple[str, str]], words: str) -> str | None:
    return next((sentence for known, sentence in causes if re.search(known, words, re.IGNORECASE)), None)


def _shortened(words: str) -> str:
    line = _NAMED.sub("“…”", without_credentials(_WHERE.sub("", words).partition("\n")[0]))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …"
