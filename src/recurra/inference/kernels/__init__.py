"""Compiled kernels of inference: the suffix automaton that finds copied passages."""
