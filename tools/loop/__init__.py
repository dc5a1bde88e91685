"""`make loop`: the whole circle, played to a person at reading speed. Every command in it is run as it is shown."""
