"""Strict float32 kernels: IEEE arithmetic in a fixed order, hence the same bits on every CPU.

One idea a file: `lanes` (vectors of float32), `arithmetic` (exp, tanh, log), `products`, `output`, `optimizers`,
then one file a cell. No fastmath, no fused multiply-add, no sum whose order depends on the machine.
"""
