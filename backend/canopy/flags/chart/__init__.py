"""The Helm chart's values: the server's own, and what only the chart reads.

Nothing here is read while Canopy serves; `canopy check-values` reads it. `canopy.flags.schema` makes the chart's schema
from it; what each key means stands in the chart's values.yaml, and the defaults stand in both, which a test compares.
"""

from canopy.flags.chart.values import ChartValues

__all__ = ["ChartValues"]
