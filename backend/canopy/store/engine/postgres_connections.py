"""Connects to PostgreSQL, straight or through a pooler that lends a server's connection for a transaction.

A pooler in transaction mode (PgBouncer, Supavisor, Amazon RDS Proxy, Neon's pooled endpoint) refuses settings in the
startup packet, loses those of a session at the end of a transaction or leaks them to others, and doesn't know the
statements that a client has prepared. So no connection has any of it until it is seen to be a straight one.
"""

from collections.abc import Mapping
from typing import Any, override

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool, QueuePool

from canopy.store.engine.postgres_url import Address

_CONNECTING = {
    "connect_timeout": "5",
    "application_name": "canopy",
    "client_encoding": "UTF8",
    # A server that vanished without a word is noticed within half a minute.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}


class _Connection(psycopg.Connection[Any]):
    """A connection that is given up when the server says nothing for too long."""

    silence: float | None = None  # seconds; None: wait for ever
    pooled = False

    @override
    def wait[RV](self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        try:
            return super().wait(gen, interval, timeout or self.silence)
        except psycopg.OperationalError as error:
            if self.pgconn.transaction_status != psycopg.pq.TransactionStatus.ACTIVE:
                raise
            self.pgconn.finish()  # the answer hasn't come, and must not be taken for that to another question
            raise psycopg.OperationalError("the server said nothing for too long") from error


def connect(address: Address, settings: str, silence: float | None, *, reading: bool) -> _Connection:
    """Connect. `settings` is an SQL expression per setting, and `reading` is for statements without a transaction.

    What lies between is a pooler where the process that the server names is not the one that the connection was
    told: a pooler has to give its clients numbers of its own, by which they cancel.
    """
    connection = _Connection.connect(make_conninfo(**{**_CONNECTING, **address.parameters}), autocommit=True)
    try:
        connection.silence = silence
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        connection.pooled = address.pooled or row is None or row[0] != connection.info.backend_pid
        if connection.pooled:
            connection.prepare_threshold = None  # what is left is done when a transaction begins
        else:
            connection.execute(f"SELECT {settings.format(local='false')}")
            connection.autocommit = reading
    except BaseException:
        connection.close()
        raise
    return connection


def engine(
    address: Address, settings: Mapping[str, str], *, connections: int, silence: float | None, reading: bool
) -> Engine:
    """Return an engine with at most `connections`; 0 keeps none. `silence` is in seconds, for each statement."""
    calls = ", ".join(f"set_config('{name}', '{value}', {{local}})" for name, value in settings.items())
    pool: dict[str, Any] = {"poolclass": NullPool}
    if connections:
        pool = {"poolclass": QueuePool, "pool_size": connections, "max_overflow": 0}
    made = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(address, calls, silence, reading=reading),
        pool_reset_on_return=None,
        use_insertmanyvalues=False,
        **pool,
    )
    begin = f"BEGIN; SELECT {calls.format(local='true')}"

    def began(conn: Connection) -> None:
        """Begin with the settings, in one round trip, where a pooler keeps none of them."""
        if getattr(conn.connection.dbapi_connection, "pooled", False):
            conn.exec_driver_sql(begin)

    event.listen(made, "begin", began)
    return made
