"""The store, its volume and its backups."""

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
    """Refers to the Secret with the store's URL."""

    name: DnsName = ""
    key: str = Field("CANOPY_STORE_URL", min_length=1)


class Persistence(ChartSection):
    """Defines the section `store.persistence`: SQLite's volume."""

    enabled: bool = True
    size: Size = "1Gi"
    storage_class: DnsName = ""
    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"] = "ReadWriteOnce"
    existing_claim: DnsName = ""
    keep: bool = True


class PasswordSecret(ChartSection):
    """Refers to the Secret with the password of PostgreSQL's user."""

    name: DnsName = ""
    key: str = Field("password", min_length=1)


class Postgresql(ChartSection):
    """Defines the section `store.postgresql`: how to connect to PostgreSQL, unless a Secret has the whole URL."""

    host: DatabaseHost = ""
    port: int = Field(5432, ge=1, le=65535)
    database: DatabaseName = "canopy"
    user: DatabaseUser = "canopy"
    existing_secret: PasswordSecret = PasswordSecret()
    ssl_mode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "require"


class StoreSection(ChartSection):
    """Defines the section `store`: the database."""

    engine: Literal["sqlite", "postgresql"] = "sqlite"
    existing_secret: StoreSecret = StoreSecret()
    postgresql: Postgresql = Postgresql()
    persistence: Persistence = Persistence()


class BackupVolume(ChartSection):
    """Defines the section `backup.persistence`: the volume for the copies."""

    size: Size = "5Gi"
    storage_class: DnsName = ""
    existing_claim: DnsName = ""
    keep: bool = True


class Backup(ChartSection):
    """Defines the section `backup`: the CronJob that copies the store."""

    enabled: bool = False
    schedule: Schedule = "41 2 * * *"
    copies: int = Field(7, ge=1, le=1000)
    image: ImageName = ""
    run_as_user: int | None = Field(None, ge=1)
    persistence: BackupVolume = BackupVolume()
    resources: Resources = Resources()
