"""Everything that runs in a browser, and the pages that serve it."""
