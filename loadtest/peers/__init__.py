"""The peers' side of `bench`: each module runs as a process of its own, as the peer's users would run it.

Only here does the load import more than ``millpond.client``: the peers' libraries, and what starts a Redis.
"""
