"""What everything stands on: errors, settings, ids, the clock. It imports nothing else of Canopy's."""
