"""``python -m mgmt`` is ``radiuscore``."""

from mgmt.cli import main

main()
