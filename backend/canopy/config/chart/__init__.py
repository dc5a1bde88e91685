"""The Helm chart's values: the server's own, and what only the chart reads.

Nothing here is read while Canopy serves; `canopy check-values` reads it. `tools.values_schema` makes the chart's schema
from it; what each key means stands in the chart's values.yaml, and the defaults stand in both, which a test compares.
"""
