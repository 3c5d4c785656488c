"""That this folder has a conftest puts it on the path: the tests below it import `problems` too."""
