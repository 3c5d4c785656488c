"""The largest number of float32 operations that one core completes in a second, measured in registers.

A loop runs independent chains c = c x + y in vector registers, without memory. It is written in LLVM's language and
compiled for this CPU. `fused` selects the fused multiply-add, which rounds once; otherwise each multiplication and each
addition is an instruction of its own, as strict float32 arithmetic demands.
"""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Callable
from typing import NamedTuple

import llvmlite.binding as llvm

LANES = (4, 8, 16)  # vectors of SSE and NEON, AVX2, and AVX-512
CHAINS = (8, 12, 14, 24)  # enough to hide the latency, and few enough to fit in 16 or 32 registers
FIRST_LOOPS = 10_000


class Form(NamedTuple):
    """The form of a loop: lanes of a vector, number of independent vectors, and the kind of arithmetic."""

    lanes: int
    chains: int
    fused: bool

    @property
    def operations(self) -> int:
        """The number of float32 operations in one pass of the loop."""
        return 2 * self.lanes * self.chains


def source(form: Form) -> str:
    """Return the loop in LLVM's language: a function that returns the sum of all chains after `loops` passes."""
    vector, chains = f"<{form.lanes} x float>", range(form.chains)
    scalars = "insertelement {v} undef, float {name}, i32 0"
    zeros = f"<{form.lanes} x i32> zeroinitializer"
    lines = [
        f"declare {vector} @llvm.fma.v{form.lanes}f32({vector}, {vector}, {vector})",
        "define void @run(i64 %loops, float %a, float %b, ptr %result) {",
        "entry:",
        f"  %x0 = {scalars.format(v=vector, name='%a')}",
        f"  %x = shufflevector {vector} %x0, {vector} undef, {zeros}",
        f"  %y0 = {scalars.format(v=vector, name='%b')}",
        f"  %y = shufflevector {vector} %y0, {vector} undef, {zeros}",
    ]
    # The chains start from different values, so that the compiler cannot merge them.
    lines += [f"  %s{k} = fmul {vector} %y, <{', '.join([f'float {k + 1}.0'] * form.lanes)}>" for k in chains]
    lines += ["  br label %loop", "loop:", "  %n = phi i64 [ 0, %entry ], [ %next, %loop ]"]
    lines += [f"  %c{k} = phi {vector} [ %s{k}, %entry ], [ %d{k}, %loop ]" for k in chains]
    for k in chains:
        if form.fused:
            call = f"call {vector} @llvm.fma.v{form.lanes}f32({vector} %c{k}, {vector} %x, {vector} %y)"
            lines.append(f"  %d{k} = {call}")
        else:
            lines += [f"  %p{k} = fmul {vector} %c{k}, %x", f"  %d{k} = fadd {vector} %p{k}, %y"]
    lines += [
        "  %next = add i64 %n, 1",
        "  %more = icmp ult i64 %next, %loops",
        "  br i1 %more, label %loop, label %end",
    ]
    lines += ["end:", f"  %t0 = fadd {vector} %d0, zeroinitializer"]
    lines += [f"  %t{k} = fadd {vector} %t{k - 1}, %d{k}" for k in chains[1:]]
    lines += [f"  store {vector} %t{form.chains - 1}, ptr %result, align 4", "  ret void", "}"]
    return "\n".join(lines)


@functools.cache
def compiled(form: Form) -> Callable[[int], float]:
    """Compile the loop; return a function that runs it and returns the first lane of the sum of all chains."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    machine = target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=2)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(source(form)), machine)
    engine.finalize_object()
    address = engine.get_function_address("run")
    run = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_float, ctypes.c_float, ctypes.c_void_p)(address)
    result = (ctypes.c_float * max(LANES))()

    def call(loops: int, _: object = engine) -> float:  # the engine owns the machine code
        run(loops, 0.5, 0.5, ctypes.addressof(result))
        return float(result[0])

    return call


def rate(form: Form, seconds: float) -> float:
    """Run the loop for about `seconds` of CPU time; return billions of operations a second."""
    run, loops = compiled(form), FIRST_LOOPS
    run(loops)
    while True:
        start = time.thread_time()
        run(loops)
        taken = time.thread_time() - start
        if taken >= seconds / 2:
            return loops * form.operations / taken / 1e9
        loops *= 2


@functools.cache
def best_form(fused: bool) -> Form:
    """Return the fastest form of the loop on this core."""
    forms = [Form(lanes, chains, fused) for lanes in LANES for chains in CHAINS]
    return max(forms, key=lambda form: rate(form, 0.02))


def peak(fused: bool, seconds: float) -> float:
    """Return the core's peak in billions of float32 operations a second (GFLOP/s)."""
    return rate(best_form(fused), seconds)
