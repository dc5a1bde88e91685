"""Where votes are kept."""

from typing import Literal

from pydantic import Field

from canopy.flags.chart.types import DnsName, Part, Size


class StoreSecret(Part):
    """The Secret with the store's URL."""

    name: DnsName = ""
    key: str = Field("CANOPY_STORE_URL", min_length=1)


class Persistence(Part):
    """SQLite's volume."""

    enabled: bool = True
    size: Size = "1Gi"
    storage_class: DnsName = ""
    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"] = "ReadWriteOnce"
    existing_claim: DnsName = ""
    keep: bool = True


class StorePart(Part):
    """Where votes are kept."""

    engine: Literal["sqlite", "postgresql"] = "sqlite"
    existing_secret: StoreSecret = StoreSecret()
    persistence: Persistence = Persistence()
