"""The operations of `lanes` in LLVM, registered with Numba when this module is imported.

A vector is an array of `<16 x float>` values; no instruction carries a fast-math flag, and LLVM lowers them to AVX-512,
AVX2, SSE or NEON alike.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

from recurra.engines.kernels import lanes
from recurra.engines.kernels.lanes import ROOT_HALF_BITS, WIDTH


class Lanes(types.Type):  # type: ignore[misc]
    """Numba's type of a vector of `blocks` times 16 lanes."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        super().__init__(name=f"Lanes({WIDTH * blocks})")


_FLOATS = ir.VectorType(ir.FloatType(), WIDTH)
_INTEGERS = ir.VectorType(ir.IntType(32), WIDTH)
_INDEX = ir.IntType(32)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Lanes) -> None:
        super().__init__(manager, kind, ir.ArrayType(_FLOATS, kind.blocks))


def _blocks(builder: Any, value: Any) -> list[Any]:
    return [builder.extract_value(value, block) for block in range(value.type.count)]


def _vector(builder: Any, blocks: list[Any]) -> Any:
    value = ir.Constant(ir.ArrayType(_FLOATS, len(blocks)), ir.Undefined)
    for place, block in enumerate(blocks):
        value = builder.insert_value(value, block, place)
    return value


def _shuffle(builder: Any, left: Any, right: Any, lanes: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_INDEX, len(lanes)), lanes)
    return builder.shuffle_vector(left, right, mask)


def _splat(builder: Any, scalar: Any) -> Any:
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_INDEX, 0))
    return _shuffle(builder, first, undefined, [0] * WIDTH)


def _all(lanes_type: Any, value: int) -> Any:
    return ir.Constant(lanes_type, [value] * WIDTH)


def _address(context: Any, builder: Any, array_type: Any, array: Any, row: Any, column: Any) -> Any:
    struct = context.make_array(array_type)(context, builder, array)
    row_stride = cgutils.unpack_tuple(builder, struct.strides, 2)[0]
    offset = builder.add(builder.mul(row, row_stride), builder.mul(column, ir.Constant(column.type, 4)))
    start = builder.gep(builder.bitcast(struct.data, ir.IntType(8).as_pointer()), [offset])
    return builder.bitcast(start, _FLOATS.as_pointer())


def _to_index(context: Any, builder: Any, signature: Any, arguments: Any, places: tuple[int, ...]) -> list[Any]:
    return [context.cast(builder, arguments[k], signature.args[k], types.intp) for k in places]


def _offset(count: int) -> Any:
    return ir.Constant(ir.IntType(64), count)


@intrinsic
def _load(typing_context: Any, array: Any, row: Any, column: Any, tile: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = _to_index(context, builder, signature, arguments, (1, 2))
        address = _address(context, builder, signature.args[0], arguments[0], *at)
        places = range(signature.return_type.blocks)
        return _vector(builder, [builder.load(builder.gep(address, [_offset(k)]), align=4) for k in places])

    return Lanes(len(tile))(array, row, column, tile), generate


@intrinsic
def _store(typing_context: Any, array: Any, row: Any, column: Any, vector: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = _to_index(context, builder, signature, arguments, (1, 2))
        address = _address(context, builder, signature.args[0], arguments[0], *at)
        for place, block in enumerate(_blocks(builder, arguments[3])):
            builder.store(block, builder.gep(address, [_offset(place)]), align=4)
        return context.get_dummy_value()

    return types.void(array, row, column, vector), generate


@intrinsic
def _fill(typing_context: Any, value: Any, tile: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _vector(builder, [_splat(builder, arguments[0])] * signature.return_type.blocks)

    return Lanes(len(tile))(value, tile), generate


@intrinsic
def _transpose(typing_context: Any, source: Any, target: Any, row: Any, column: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row, column = _to_index(context, builder, signature, arguments, (2, 3))

        def address(k: int, first: Any, second: Any, lane: int) -> Any:
            moved = builder.add(first, ir.Constant(first.type, lane))
            return _address(context, builder, signature.args[k], arguments[k], moved, second)

        rows = [builder.load(address(0, row, column, lane), align=4) for lane in range(WIDTH)]
        # Four rounds, each interleaving row k with row k + 8: afterwards row k holds what was column k.
        low = [lane // 2 + WIDTH * (lane % 2) for lane in range(WIDTH)]
        high = [lane + WIDTH // 2 for lane in low]
        for _ in range(4):
            pairs = zip(rows[: WIDTH // 2], rows[WIDTH // 2 :], strict=True)
            rows = [_shuffle(builder, a, b, lanes) for a, b in pairs for lanes in (low, high)]
        for lane, value in enumerate(rows):
            builder.store(value, address(1, column, row, lane), align=4)
        return context.get_dummy_value()

    return types.void(source, target, row, column), generate


def _blockwise(emit: Callable[..., Any], *kinds: Any) -> Any:
    """Signature and code of `emit(builder, *blocks)` applied block by block; a float32 goes to every lane."""
    result = next(kind for kind in kinds if isinstance(kind, Lanes))

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        operands = [
            _blocks(builder, value) if isinstance(kind, Lanes) else [_splat(builder, value)] * result.blocks
            for kind, value in zip(kinds, values, strict=True)
        ]
        return _vector(builder, [emit(builder, *blocks) for blocks in zip(*operands, strict=True)])

    return result(*kinds), generate


def _unary(emit: Callable[..., Any]) -> Any:
    return intrinsic(lambda typing_context, x: _blockwise(emit, x))


def _binary(emit: Callable[..., Any]) -> Any:
    return intrinsic(lambda typing_context, x, y: _blockwise(emit, x, y))


def _ternary(emit: Callable[..., Any]) -> Any:
    return intrinsic(lambda typing_context, x, y, z: _blockwise(emit, x, y, z))


def _emit_square_root(builder: Any, x: Any) -> Any:
    kind = ir.FunctionType(_FLOATS, [_FLOATS])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{WIDTH}f32"), [x])


def _emit_clamp(builder: Any, x: Any, low: Any, high: Any) -> Any:
    raised = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    return builder.select(builder.fcmp_ordered(">", x, high), high, raised)


def _emit_zero_below(builder: Any, x: Any, control: Any, bound: Any) -> Any:
    zero = ir.Constant(_FLOATS, [0.0] * WIDTH)
    return builder.select(builder.fcmp_ordered("<", control, bound), zero, x)


def _emit_power_of_two(builder: Any, x: Any) -> Any:
    biased = builder.add(builder.bitcast(x, _INTEGERS), _all(_INTEGERS, 127))
    return builder.bitcast(builder.shl(biased, _all(_INTEGERS, 23)), _FLOATS)


def _emit_above_root_half(builder: Any, x: Any) -> Any:
    return builder.sub(builder.bitcast(x, _INTEGERS), _all(_INTEGERS, ROOT_HALF_BITS))


def _emit_mantissa(builder: Any, x: Any) -> Any:
    bits = builder.and_(_emit_above_root_half(builder, x), _all(_INTEGERS, 0x7FFFFF))
    return builder.bitcast(builder.add(bits, _all(_INTEGERS, ROOT_HALF_BITS)), _FLOATS)


def _emit_exponent(builder: Any, x: Any) -> Any:
    return builder.sitofp(builder.ashr(_emit_above_root_half(builder, x), _all(_INTEGERS, 23)), _FLOATS)


def _reduction(combine: Callable[[Any, Any, Any], Any]) -> Any:
    @intrinsic
    def call(typing_context: Any, vector: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            first, *others = _blocks(builder, arguments[0])
            for block in others:
                first = combine(builder, first, block)
            half = WIDTH
            while half > 1:
                half //= 2
                lower = _shuffle(builder, first, first, list(range(half)))
                upper = _shuffle(builder, first, first, list(range(half, 2 * half)))
                first = combine(builder, lower, upper)
            return builder.extract_element(first, ir.Constant(_INDEX, 0))

        return types.float32(vector), generate

    return call


def _emit_larger(builder: Any, x: Any, y: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


_lane_sum = _reduction(lambda builder, x, y: builder.fadd(x, y))
_lane_max = _reduction(_emit_larger)
_add = _binary(lambda builder, x, y: builder.fadd(x, y))
_subtract = _binary(lambda builder, x, y: builder.fsub(x, y))
_multiply = _binary(lambda builder, x, y: builder.fmul(x, y))
_divide = _binary(lambda builder, x, y: builder.fdiv(x, y))
_square_root = _unary(_emit_square_root)
_clamp = _ternary(_emit_clamp)
_zero_below = _ternary(_emit_zero_below)
_power_of_two = _unary(_emit_power_of_two)
_mantissa = _unary(_emit_mantissa)
_exponent = _unary(_emit_exponent)


def _are_lanes(*kinds: Any) -> bool:
    return any(isinstance(kind, Lanes) for kind in kinds) and all(
        isinstance(kind, Lanes) or kind == types.float32 for kind in kinds
    )


# Numba compares the argument names of both functions, annotations included: hence none here.


@overload(lanes.load)
def _overload_load(array, row, column, tile):
    return lambda array, row, column, tile: _load(array, row, column, tile)


@overload(lanes.store)
def _overload_store(array, row, column, vector):
    return lambda array, row, column, vector: _store(array, row, column, vector)


@overload(lanes.fill)
def _overload_fill(value, tile):
    return lambda value, tile: _fill(value, tile)


@overload(lanes.transpose)
def _overload_transpose(source, target, row, column):
    return lambda source, target, row, column: _transpose(source, target, row, column)


@overload(lanes.clamp)
def _overload_clamp(vector, low, high):
    return (lambda vector, low, high: _clamp(vector, low, high)) if _are_lanes(vector, low, high) else None


@overload(lanes.zero_below)
def _overload_zero_below(vector, control, bound):
    if not _are_lanes(vector, control, bound):
        return None
    return lambda vector, control, bound: _zero_below(vector, control, bound)


def _overload_unary(function, code):
    @overload(function)
    def typed(vector):
        return (lambda vector: code(vector)) if _are_lanes(vector) else None


def _overload_binary(function, code):
    @overload(function)
    def typed(x, y):
        return (lambda x, y: code(x, y)) if _are_lanes(x, y) else None


_overload_binary(operator.add, _add)
_overload_binary(operator.sub, _subtract)
_overload_binary(operator.mul, _multiply)
_overload_binary(operator.truediv, _divide)
_overload_unary(lanes.lane_sum, _lane_sum)
_overload_unary(lanes.lane_max, _lane_max)
_overload_unary(lanes.square_root, _square_root)
_overload_unary(lanes.power_of_two, _power_of_two)
_overload_unary(lanes.mantissa, _mantissa)
_overload_unary(lanes.exponent, _exponent)
