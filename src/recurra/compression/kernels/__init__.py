"""Compiled kernels of the compressors. `recurra.engines.kernels` explains the letters of the shapes."""
