"""The instructions of the processor for which Numba compiles, and the block sizes that fit its registers.

No choice in this module changes a bit of a result.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core.registry import cpu_target

from recurra.engines.kernels.lanes import Tile


class Blocks(NamedTuple):
    """The blocks of sums that a matrix product holds in registers, as rows × panels of 16 columns.

    Every field is a tuple with one entry for each row or panel.

    rows, panels: the block of most rows of a product.
    by_four, by_two, by_one: the panels in the blocks of the last 4, 2 and 1 rows.
    """

    rows: Tile
    panels: Tile
    by_four: Tile
    by_two: Tile
    by_one: Tile


def _processor() -> str:
    """Return LLVM's name of the processor."""
    name: str = cpu_target.target_context.codegen().magic_tuple()[1]
    return name


@functools.cache
def _assembly() -> str:
    """Return the assembly code of a fused multiply-add of 16 lanes for this processor."""
    triple, processor, features = cpu_target.target_context.codegen().magic_tuple()
    lanes = ir.VectorType(ir.FloatType(), 16)
    module = ir.Module()
    module.triple = triple
    kind = ir.FunctionType(lanes, [lanes] * 3)
    function = ir.Function(module, kind, "probe")
    builder = ir.IRBuilder(function.append_basic_block())
    builder.ret(builder.call(ir.Function(module, kind, "llvm.fma.v16f32"), function.args))
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=processor, features=features)
    code: str = machine.emit_assembly(llvm.parse_assembly(str(module)))
    return code


def has_fused_multiply_add() -> bool:
    """Return True if the processor has a fused multiply-add. If not, LLVM emits calls of the C function `fmaf`."""
    return "fmaf" not in _assembly()


def has_wide_registers() -> bool:
    """Return True if a register holds 16 float32, as with AVX-512."""
    return "zmm" in _assembly()


def choose_blocks() -> Blocks:
    """Return the block sizes for this processor.

    AVX-512 has 32 registers of 16 lanes: 16 sums of 16 lanes leave room for the factors. A Zen 4 was faster with 8
    sums. AVX2 has 16 registers of 8 lanes, NEON 32 of 4: 6 sums of 16 lanes fit.
    """
    if has_wide_registers() and _processor() == "znver4":
        return Blocks(rows=(0,) * 8, panels=(0,), by_four=(0,) * 2, by_two=(0,) * 4, by_one=(0,) * 4)
    if has_wide_registers():
        return Blocks(rows=(0,) * 8, panels=(0,) * 2, by_four=(0,) * 4, by_two=(0,) * 4, by_one=(0,) * 8)
    return Blocks(rows=(0,) * 6, panels=(0,), by_four=(0,), by_two=(0, 0), by_one=(0,) * 4)
