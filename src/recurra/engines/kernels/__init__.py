"""Kernels in strict float32: IEEE arithmetic in a fixed order, hence the same bits on every CPU.

lanes             vectors of float32; every other kernel is written with them
arithmetic        exp, tanh, log and the logistic function
products          row products, sums and transposed matrices; `gemm` multiplies matrices in panels
softmax           log-softmax, the loss and its gradient
optimizers        optimizer updates in place
cell_kernels      the interface of the kernels of one cell; `cell_registry` lists the kernels of every cell
elman_layer       one layer over time, forward and backward; likewise `lstm_layer`, `gru_layer`, `mingru_layer` and
                  `mogrifier_layer`
fused_elman       complete training updates of one elman layer with one stream
stepping          the trained network, one time step at a time; `choice` samples a symbol
compilation       the decorator of every kernel; `lowering` emits the vector instructions, `disk_cache` stores the code

No kernel uses fastmath, or a sum whose order depends on the machine. `multiply_add` and `add_products` of `lanes`
round once; everywhere else a multiplication and an addition round separately. `processor` examines the instructions of
the machine.

Letters in the docstrings of all kernels: T time steps, B streams (the batch), H hidden units, K symbols of the
vocabulary, L layers, G gates of a cell. H and K are padded to a multiple of 16 if not stated otherwise. h_- is the
hidden state before a step. An array over time has T B rows: row t B + s belongs to step t of stream s.
Arrays are float32 unless another type is stated. The functions write to an argument only if its entry states so.
The tile is the width of the vectors that a loop handles at once (see `lanes`); it divides the width of the arrays.
"""
