"""Compiled kernels of inference: the automaton that finds copied passages."""
