"""What the Helm values say: typed values, the flags they decide, and the file they come from."""

from canopy.flags.decisions import Flag, decide
from canopy.flags.source import Config, ConfigSource, load_config
from canopy.flags.values import Values

__all__ = ["Config", "ConfigSource", "Flag", "Values", "decide", "load_config"]
