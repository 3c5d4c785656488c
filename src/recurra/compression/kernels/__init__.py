"""Compiled kernels of the compressors."""
