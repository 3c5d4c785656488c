"""A run directory: its layout, settings, checkpoints, logs, lock and summary, and how a run is resumed."""
