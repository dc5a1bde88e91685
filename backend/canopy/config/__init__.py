"""The Helm values: their types, the file that they come from, and the flags that they decide."""
