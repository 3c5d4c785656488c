"""Strict float32 kernels: IEEE arithmetic in a fixed order, hence the same bits on every CPU.

lanes             vectors of float32; every other kernel is written in them
arithmetic        exp, tanh, log and the logistic function
products          row products, sums and transposed matrices; `gemm` multiplies matrices in panels
softmax           logits, log-softmax, the loss and its gradient
optimizers        updates in place
cell_kernels      the interface of one cell; `cell_registry` has the kernels of every cell
elman_layer       layers over time, forward and backward, a module a cell, and `lstm_layer`, `gru_layer`,
                  `mingru_layer`, `mogrifier_layer`
fused_elman       whole updates of one elman layer that reads one stream
stepping          a trained network step by step; `choice` draws a symbol
compilation       the decorator of every kernel; `lowering` emits its vector instructions, `disk_cache` keeps its code

No fastmath, no fused multiply-add, no sum whose order depends on the machine.
"""
