"""The servers, one small module for each: ``python -m loadtest.ladder.servers.blocking --port 8888``."""
