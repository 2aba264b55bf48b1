"""The worker: a parent that RQ's tools see and steer, and the children that run users' functions (ADR 0003)."""
