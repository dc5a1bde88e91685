"""Where reports of runs are sent."""
