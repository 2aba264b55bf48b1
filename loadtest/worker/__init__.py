"""How fast workers run jobs that do nothing, ours beside others', each a process on one core: `make bench-worker`."""
