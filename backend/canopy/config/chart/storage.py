"""Where votes are kept."""

from typing import Literal

from pydantic import Field

from canopy.config.chart.types import (
    ChartSection,
    DatabaseHost,
    DatabaseName,
    DatabaseUser,
    DnsName,
    ImageName,
    Resources,
    Schedule,
    Size,
)


class StoreSecret(ChartSection):
    """The Secret with the store's URL."""

    name: DnsName = ""
    key: str = Field("CANOPY_STORE_URL", min_length=1)


class Persistence(ChartSection):
    """SQLite's volume."""

    enabled: bool = True
    size: Size = "1Gi"
    storage_class: DnsName = ""
    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"] = "ReadWriteOnce"
    existing_claim: DnsName = ""
    keep: bool = True


class PasswordSecret(ChartSection):
    """The Secret with the password of PostgreSQL's user."""

    name: DnsName = ""
    key: str = Field("password", min_length=1)


class Postgresql(ChartSection):
    """Where PostgreSQL is, and as whom to connect, where no Secret has all of it as a URL."""

    host: DatabaseHost = ""
    port: int = Field(5432, ge=1, le=65535)
    database: DatabaseName = "canopy"
    user: DatabaseUser = "canopy"
    existing_secret: PasswordSecret = PasswordSecret()
    ssl_mode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "require"


class StorePart(ChartSection):
    """Where votes are kept."""

    engine: Literal["sqlite", "postgresql"] = "sqlite"
    existing_secret: StoreSecret = StoreSecret()
    postgresql: Postgresql = Postgresql()
    persistence: Persistence = Persistence()


class BackupVolume(ChartSection):
    """Where the copies lie."""

    size: Size = "5Gi"
    storage_class: DnsName = ""
    existing_claim: DnsName = ""
    keep: bool = True


class Backup(ChartSection):
    """The CronJob that copies the store."""

    enabled: bool = False
    schedule: Schedule = "41 2 * * *"
    copies: int = Field(7, ge=1, le=1000)
    image: ImageName = ""
    run_as_user: int | None = Field(None, ge=1)
    persistence: BackupVolume = BackupVolume()
    resources: Resources = Resources()
