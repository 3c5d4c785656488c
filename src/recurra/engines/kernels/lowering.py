"""The operations of `lanes` as LLVM instructions. Importing this module registers them with Numba.

A vector is a struct of `<16 x float>` values, followed by one `<8 x float>` if the number of groups is odd. No
instruction has a fast-math flag. LLVM lowers the vectors to AVX-512, AVX2, SSE or NEON. On a processor without a fused
multiply-add, `multiply_add` is computed in float64, with the same bits. Products are then some 15 times slower.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import lower_builtin, register_model, type_callable

from recurra.engines.kernels import lanes
from recurra.engines.kernels.lanes import INVERSE_ROOT_BITS, ROOT_HALF_BITS, WIDTH
from recurra.engines.kernels.processor import has_fused_multiply_add


class Lanes(types.Type):  # type: ignore[misc]  # Numba has no type hints
    """Numba's type of a vector of `groups` times 8 lanes."""

    def __init__(self, groups: int) -> None:
        self.groups = groups
        super().__init__(name=f"Lanes({WIDTH * groups})")


ANY_ARGUMENTS = ((types.VarArg(types.Any),),)
OPERANDS = ((Lanes, Lanes), (Lanes, types.Float), (types.Float, Lanes))
_FLOAT = ir.FloatType()
_INDEX = ir.IntType(32)


def _floats(lanes: int) -> Any:
    return ir.VectorType(_FLOAT, lanes)


def _integers(like: Any) -> Any:
    return ir.VectorType(ir.IntType(32), like.type.count)


def _parts(groups: int) -> list[Any]:
    """Return the LLVM types of the values that make up a vector: two groups together fill a register of AVX-512."""
    return [_floats(2 * WIDTH)] * (groups // 2) + [_floats(WIDTH)] * (groups % 2)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]  # Numba has no type hints
    def __init__(self, manager: Any, kind: Lanes) -> None:
        super().__init__(manager, kind, ir.LiteralStructType(_parts(kind.groups)))


def _split(builder: Any, value: Any) -> list[Any]:
    return [builder.extract_value(value, place) for place in range(len(value.type.elements))]


def _join(builder: Any, parts: list[Any]) -> Any:
    value = ir.Constant(ir.LiteralStructType([part.type for part in parts]), ir.Undefined)
    for place, part in enumerate(parts):
        value = builder.insert_value(value, part, place)
    return value


def _shuffle(builder: Any, left: Any, right: Any, lanes: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_INDEX, len(lanes)), lanes)
    return builder.shuffle_vector(left, right, mask)


def _splat(builder: Any, scalar: Any, lanes: int) -> Any:
    undefined = ir.Constant(_floats(lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_INDEX, 0))
    return _shuffle(builder, first, undefined, [0] * lanes)


def _zero(like: Any) -> Any:
    return ir.Constant(like.type, 0)


def _constant(kind: Any, value: float) -> Any:
    return ir.Constant(kind, [value] * kind.count)


def _address(context: Any, builder: Any, array_type: Any, array: Any, row: Any, column: Any) -> Any:
    struct = context.make_array(array_type)(context, builder, array)
    row_stride = cgutils.unpack_tuple(builder, struct.strides, 2)[0]
    offset = builder.add(builder.mul(row, row_stride), builder.mul(column, ir.Constant(column.type, 4)))
    start = builder.gep(builder.bitcast(struct.data, ir.IntType(8).as_pointer()), [offset])
    return builder.bitcast(start, _FLOAT.as_pointer())


def _places(builder: Any, address: Any, kinds: list[Any]) -> list[Any]:
    """Return pointers to consecutive values of the types `kinds`, the first at `address`."""
    pointers, lane = [], 0
    for kind in kinds:
        pointer = builder.gep(address, [ir.Constant(ir.IntType(64), lane)])
        pointers.append(builder.bitcast(pointer, kind.as_pointer()))
        lane += kind.count
    return pointers


def _to_index(context: Any, builder: Any, signature: Any, arguments: Any, places: tuple[int, ...]) -> list[Any]:
    return [context.cast(builder, arguments[k], signature.args[k], types.intp) for k in places]


def _operation(
    function: Callable[..., Any], signatures: Sequence[tuple[Any, ...]] = ANY_ARGUMENTS
) -> Callable[[Callable[..., Any]], None]:
    """Compile calls of `function` to the instructions that the decorated function defines.

    The arguments of the decorated function are a typing context and the types of the arguments, as for Numba's
    `intrinsic`. It returns the signature and a function that generates the instructions, or None for other types.
    `signatures` are the classes of the arguments.

    Numba would compile an overloaded function that calls an intrinsic as a function, for each width and each layout.
    """

    def register(define: Callable[..., Any]) -> None:
        @type_callable(function)
        def typed(typing_context: Any) -> Any:
            @functools.wraps(function)
            def signature(*arguments: Any) -> Any:
                found = define(typing_context, *arguments)
                return None if found is None else found[0]

            return signature

        def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            _, generate = define(context.typing_context, *signature.args)
            return generate(context, builder, signature, values)

        for kinds in signatures:
            lower_builtin(function, *kinds)(lower)

    return register


@_operation(lanes.load)
def _load(typing_context: Any, array: Any, row: Any, column: Any, tile: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = _to_index(context, builder, signature, arguments, (1, 2))
        address = _address(context, builder, signature.args[0], arguments[0], *at)
        pointers = _places(builder, address, _parts(signature.return_type.groups))
        return _join(builder, [builder.load(pointer, align=4) for pointer in pointers])

    return Lanes(len(tile))(array, row, column, tile), generate


@_operation(lanes.element)
def _element(typing_context: Any, array: Any, row: Any, column: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = _to_index(context, builder, signature, arguments, (1, 2))
        return builder.load(_address(context, builder, signature.args[0], arguments[0], *at), align=4)

    return types.float32(array, row, column), generate


@_operation(lanes.store)
def _store(typing_context: Any, array: Any, row: Any, column: Any, vector: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = _to_index(context, builder, signature, arguments, (1, 2))
        address = _address(context, builder, signature.args[0], arguments[0], *at)
        parts = _split(builder, arguments[3])
        for part, pointer in zip(parts, _places(builder, address, [part.type for part in parts]), strict=True):
            builder.store(part, pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, row, column, vector), generate


@_operation(lanes.add_products)
def _add_products(
    typing_context: Any,
    target: Any,
    row: Any,
    column: Any,
    left: Any,
    first: Any,
    right: Any,
    start: Any,
    stride: Any,
    depth: Any,
    add: Any,
    rows: Any,
    panels: Any,
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        row, column, first, start, stride, depth = _to_index(context, builder, signature, arguments, (1, 2, 4, 6, 7, 8))
        places = [(i, p) for i in range(len(rows)) for p in range(len(panels))]

        def moved(index: Any, distance: int) -> Any:
            return builder.add(index, ir.Constant(index.type, distance))

        def pointer(k: int, row: Any, column: Any) -> Any:
            address = _address(context, builder, kinds[k], arguments[k], row, column)
            return builder.bitcast(address, _floats(2 * WIDTH).as_pointer())

        blocks = [pointer(0, moved(row, i), moved(column, 2 * WIDTH * p)) for i, p in places]
        begins = [builder.add(start, builder.mul(stride, ir.Constant(stride.type, p))) for p in range(len(panels))]
        zero = _constant(_floats(2 * WIDTH), 0.0)
        sums = [cgutils.alloca_once(builder, zero.type) for _ in places]
        with builder.if_else(context.is_true(builder, kinds[9], arguments[9])) as (adds, overwrites):
            with adds:
                for total, block in zip(sums, blocks, strict=True):
                    builder.store(builder.load(block, align=4), total)
            with overwrites:
                for total in sums:
                    builder.store(zero, total)
        with cgutils.for_range(builder, depth, intp=depth.type) as loop:
            vectors = [
                builder.load(pointer(5, builder.add(begin, loop.index), _zero(begin)), align=4) for begin in begins
            ]
            for i in range(len(rows)):
                factor = builder.load(_address(context, builder, kinds[3], arguments[3], loop.index, moved(first, i)))
                for p, vector in enumerate(vectors):
                    total = sums[i * len(panels) + p]
                    product = _emit_multiply_add(
                        builder, _splat(builder, factor, 2 * WIDTH), vector, builder.load(total)
                    )
                    builder.store(product, total)
        for total, block in zip(sums, blocks, strict=True):
            builder.store(builder.load(total), block, align=4)
        return context.get_dummy_value()

    arguments = (target, row, column, left, first, right, start, stride, depth, add, rows, panels)
    return types.void(*arguments), generate


@_operation(lanes.fill)
def _fill(typing_context: Any, value: Any, tile: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = _parts(signature.return_type.groups)
        return _join(builder, [_splat(builder, arguments[0], kind.count) for kind in kinds])

    return Lanes(len(tile))(value, tile), generate


@_operation(lanes.transpose)
def _transpose(
    typing_context: Any, source: Any, row: Any, column: Any, target: Any, to_row: Any, to_column: Any
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        places = _to_index(context, builder, signature, arguments, (1, 2, 4, 5))

        def pointer(k: int, row: Any, column: Any, lane: int) -> Any:
            moved = builder.add(row, ir.Constant(row.type, lane))
            address = _address(context, builder, signature.args[k], arguments[k], moved, column)
            return _places(builder, address, [_floats(WIDTH)])[0]

        rows = [builder.load(pointer(0, *places[:2], lane), align=4) for lane in range(WIDTH)]
        # Each round interleaves row k with row k + 4. After three rounds, row k holds the values of column k.
        low = [lane // 2 + WIDTH * (lane % 2) for lane in range(WIDTH)]
        high = [lane + WIDTH // 2 for lane in low]
        for _ in range(3):
            pairs = zip(rows[: WIDTH // 2], rows[WIDTH // 2 :], strict=True)
            rows = [_shuffle(builder, a, b, lanes) for a, b in pairs for lanes in (low, high)]
        for lane, value in enumerate(rows):
            builder.store(value, pointer(3, *places[2:], lane), align=4)
        return context.get_dummy_value()

    return types.void(source, row, column, target, to_row, to_column), generate


def _are_lanes(*kinds: Any) -> bool:
    return any(isinstance(kind, Lanes) for kind in kinds) and all(
        isinstance(kind, Lanes) or kind == types.float32 for kind in kinds
    )


def partwise(
    function: Callable[..., Any], emit: Callable[..., Any], signatures: Sequence[tuple[Any, ...]] = ANY_ARGUMENTS
) -> None:
    """Compile `function` to instructions for the parts of its arguments; a float32 fills all lanes.

    Args:
        function: a function of vectors and float32 numbers.
        emit: a function that emits the instructions; its arguments are the builder and one part of each argument.
        signatures: the classes of the arguments.
    """

    @_operation(function, signatures)
    def _(typing_context: Any, *kinds: Any) -> Any:
        if not _are_lanes(*kinds):
            return None
        result = next(kind for kind in kinds if isinstance(kind, Lanes))

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            operands = [
                _split(builder, value)
                if isinstance(kind, Lanes)
                else [_splat(builder, value, part.count) for part in _parts(result.groups)]
                for kind, value in zip(kinds, values, strict=True)
            ]
            return _join(builder, [emit(builder, *parts) for parts in zip(*operands, strict=True)])

        return result(*kinds), generate


def _emit_square_root(builder: Any, x: Any) -> Any:
    kind = ir.FunctionType(x.type, [x.type])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{x.type.count}f32"), [x])


def _emit_multiply_add(builder: Any, x: Any, y: Any, z: Any) -> Any:
    if not has_fused_multiply_add():
        return emit_multiply_add_in_float64(builder, x, y, z)
    kind = ir.FunctionType(x.type, [x.type] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{x.type.count}f32")
    return builder.call(function, [x, y, z])


def emit_multiply_add_in_float64(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """Emit a call of a function with the steps of `lanes.multiply_add`, which is added to the module once.

    Args:
        builder: the builder of the calling function.
        x, y, z: values of a type `<n x float>`.
    Returns: x y + z, rounded once.
    """
    kind = ir.FunctionType(x.type, [x.type] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"recurra_multiply_add_v{x.type.count}f32")
    if function.is_declaration:
        function.linkage = "linkonce_odr"
        function.attributes.add("noinline")
        _define_multiply_add(ir.IRBuilder(function.append_basic_block()), *function.args)
    return builder.call(function, [x, y, z])


def _define_multiply_add(builder: Any, x: Any, y: Any, z: Any) -> None:
    """Define x y + z as the float64 sum, rounded to float32.

    If the sum is halfway between two float32 numbers, the rounding needs the error of the sum. The last 28 bits of such
    a sum are zeros. The error is computed only then.
    """
    count = x.type.count
    wide, whole = ir.VectorType(ir.DoubleType(), count), ir.VectorType(ir.IntType(64), count)
    left, right, added = (builder.fpext(value, wide) for value in (x, y, z))
    product = builder.fmul(left, right)
    total = builder.fadd(product, added)
    bits = builder.bitcast(total, whole)
    tail = builder.and_(builder.trunc(bits, _integers(x)), _constant(_integers(x), 0x0FFFFFFF))
    halfway = builder.bitcast(builder.icmp_signed("==", tail, _constant(tail.type, 0)), ir.IntType(count))
    with builder.if_then(builder.icmp_signed("==", halfway, ir.Constant(halfway.type, 0)), likely=True):
        builder.ret(builder.fptrunc(total, x.type))
    back = builder.fsub(total, product)
    rest = builder.fadd(builder.fsub(product, builder.fsub(total, back)), builder.fsub(added, back))
    zero = _constant(wide, 0.0)
    beyond = builder.zext(builder.fcmp_ordered("<", builder.fmul(rest, total), zero), whole)
    inexact = builder.zext(builder.fcmp_ordered("!=", rest, zero), whole)
    odd = builder.or_(builder.sub(bits, beyond), inexact)
    builder.ret(builder.fptrunc(builder.bitcast(odd, wide), x.type))


def _emit_clamp(builder: Any, x: Any, low: Any, high: Any) -> Any:
    raised = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    return builder.select(builder.fcmp_ordered(">", x, high), high, raised)


def _emit_zero_below(builder: Any, x: Any, control: Any, bound: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", control, bound), _constant(x.type, 0.0), x)


def _emit_power_of_two(builder: Any, x: Any) -> Any:
    kind = _integers(x)
    biased = builder.add(builder.bitcast(x, kind), _constant(kind, 127))
    return builder.bitcast(builder.shl(biased, _constant(kind, 23)), x.type)


def _emit_above_root_half(builder: Any, x: Any) -> Any:
    kind = _integers(x)
    return builder.sub(builder.bitcast(x, kind), _constant(kind, ROOT_HALF_BITS))


def _emit_mantissa(builder: Any, x: Any) -> Any:
    kind = _integers(x)
    bits = builder.and_(_emit_above_root_half(builder, x), _constant(kind, 0x7FFFFF))
    return builder.bitcast(builder.add(bits, _constant(kind, ROOT_HALF_BITS)), x.type)


def _emit_exponent(builder: Any, x: Any) -> Any:
    shift = _constant(_integers(x), 23)
    return builder.sitofp(builder.ashr(_emit_above_root_half(builder, x), shift), x.type)


def _emit_inverse_root_guess(builder: Any, x: Any) -> Any:
    kind = _integers(x)
    half = builder.ashr(builder.bitcast(x, kind), _constant(kind, 1))
    return builder.bitcast(builder.sub(_constant(kind, INVERSE_ROOT_BITS), half), x.type)


def _groups(builder: Any, value: Any) -> list[Any]:
    """Return the vector as groups of 8 lanes."""
    return [
        _shuffle(builder, part, part, list(range(start, start + WIDTH)))
        for part in _split(builder, value)
        for start in range(0, part.type.count, WIDTH)
    ]


def _reduction(function: Callable[..., Any], combine: Callable[[Any, Any, Any], Any]) -> None:
    """Compile `function` of a vector to `combine(builder, x, y)` of its groups, then of halves of one group."""

    @_operation(function)
    def _(typing_context: Any, vector: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            first, *others = _groups(builder, arguments[0])
            for group in others:
                first = combine(builder, first, group)
            half = WIDTH
            while half > 1:
                half //= 2
                lower = _shuffle(builder, first, first, list(range(half)))
                upper = _shuffle(builder, first, first, list(range(half, 2 * half)))
                first = combine(builder, lower, upper)
            return builder.extract_element(first, ir.Constant(_INDEX, 0))

        return (types.float32(vector), generate) if _are_lanes(vector) else None


def _emit_larger(builder: Any, x: Any, y: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


_reduction(lanes.lane_sum, lambda builder, x, y: builder.fadd(x, y))
_reduction(lanes.lane_max, _emit_larger)
partwise(lanes.square_root, _emit_square_root)
partwise(lanes.multiply_add, _emit_multiply_add)
partwise(lanes.clamp, _emit_clamp)
partwise(lanes.zero_below, _emit_zero_below)
partwise(lanes.power_of_two, _emit_power_of_two)
partwise(lanes.mantissa, _emit_mantissa)
partwise(lanes.exponent, _emit_exponent)
partwise(lanes.inverse_root_guess, _emit_inverse_root_guess)
partwise(operator.add, lambda builder, x, y: builder.fadd(x, y), OPERANDS)
partwise(operator.sub, lambda builder, x, y: builder.fsub(x, y), OPERANDS)
partwise(operator.mul, lambda builder, x, y: builder.fmul(x, y), OPERANDS)
partwise(operator.truediv, lambda builder, x, y: builder.fdiv(x, y), OPERANDS)
