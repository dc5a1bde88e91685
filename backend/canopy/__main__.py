"""`python -m canopy` is `canopy`."""

from canopy.cli import main

main()
