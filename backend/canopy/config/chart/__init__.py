"""Models of the Helm chart's values: the server's own values and those that only the chart reads.

The server doesn't use them; `canopy check-values` does, and `tools.values_schema` makes the chart's schema from them.
The chart's values.yaml describes the keys. It has the defaults as well; a test compares them.
"""
