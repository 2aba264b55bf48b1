"""``python -m millpond.cli``: the command `millpond`."""

from millpond.cli import main

main()
