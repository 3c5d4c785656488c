"""Collect no test of the server if the extra `serve` is not installed."""

from serving_fixtures import MISSING

collect_ignore_glob = ["test_*.py"] if MISSING else []
