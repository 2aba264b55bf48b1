"""``python -m worker``: the parent, which starts everything else."""

from worker.parent import main

main()
