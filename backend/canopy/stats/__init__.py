"""Pure mathematics without input or output: sequential tests, intervals, agreement, paired comparisons."""
