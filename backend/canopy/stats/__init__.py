"""Pure mathematics: sequential tests, intervals, agreement, paired comparisons. Nothing here reads or writes."""
