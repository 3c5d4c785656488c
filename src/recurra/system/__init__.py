"""The machine and the process: CPUs and memory, signals, optional packages, random numbers."""
