"""The sections of the report of one run, a module each. A section names the data that are absent."""
