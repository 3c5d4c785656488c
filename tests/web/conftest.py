"""Collect no test of the pages that are served if the extra `serve` is not installed."""

from serving_fixtures import MISSING

collect_ignore = ["test_run_analysis.py", "test_page_browser.py", "test_page_routes.py"] if MISSING else []
