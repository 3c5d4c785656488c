"""Settings of the whole suite."""

from hypothesis import settings

# The first example of a test may compile a kernel; and the same examples every time make a failure repeatable.
settings.register_profile("recurra", deadline=None, derandomize=True)
settings.load_profile("recurra")
