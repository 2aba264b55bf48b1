"""The articles' question, for workers that are not started where the examples are."""

from examples.cluster_info import cluster_call, cluster_info_gevent, cluster_info_processes, cluster_info_threads

__all__ = ["cluster_call", "cluster_info_gevent", "cluster_info_processes", "cluster_info_threads"]
