"""Brings what the votes decided into production through Git, with its evidence, and proves it afterwards."""
