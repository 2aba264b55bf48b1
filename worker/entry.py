"""``python -m worker.entry``: a child, started by the parent alone.

Nothing is imported at its head: each process that a task starts by multiprocessing imports this module anew, and would import the
whole worker with it.
"""

if __name__ == "__main__":
    from worker.child import main

    main()
