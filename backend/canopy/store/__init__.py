"""Where generations and votes are kept. `open_store` is the way in; `base` has the records and the protocol."""

from canopy.store.base import Store
from canopy.store.opening import open_store, risk_of

__all__ = ["Store", "open_store", "risk_of"]
