"""The sections of the report of one run, one module each. A section without data states the reason."""
