"""``python -m worker.hub FD``: a process that carries out many runs at a time, in greenlets. Started by a child alone.

Everything that waits must be patched before anything else is imported: so this module imports nothing at its head.
"""

if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()

    from worker.greenlets import main

    main()
