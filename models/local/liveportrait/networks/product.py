"""A product of float32 matrices in machine code: what `winograd` spends its time on.

The libraries' products start threads of their own and keep them spinning; one core's part, next to the transforms that
feed it, is faster by itself. Six rows by sixteen columns stay in registers while one column of the left is read along.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray
from torch import Tensor, nn

from models.local.liveportrait.networks.compiled import compiled

ROWS, PANEL, LANES = 6, 16, 8  # 12 of the 16 wide registers of AVX2 hold sums
BYTES = 4
DEEP = 512  # how much of the right is gone through at once: a panel of it fits into the first cache
Floats = NDArray[np.float32]
Places = NDArray[np.int64]


def _typed(
    _typing: Any, a: Any, a_row: Any, b: Any, b_row: Any, count: Any, c: Any, c_row: Any, add: Any
) -> Any:
    """c (6, 16) = or += a (6, count) @ b (count, 16). a, b, c: addresses; a_row, b_row, c_row: bytes between rows."""
    return types.void(*(types.intp,) * 7, types.boolean), _code


def _code(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> Any:
    a, a_row, b, b_row, count, c, c_row, add = args
    word, number, vector = a.type, ir.FloatType(), ir.VectorType(ir.FloatType(), LANES)
    none = ir.Constant(vector, ir.Undefined)
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)

    def at(address: Any, offset: Any, kind: Any) -> Any:
        return builder.inttoptr(builder.add(address, offset), kind.as_pointer())

    parts = [word(BYTES * LANES * part) for part in range(PANEL // LANES)]
    lines = [builder.mul(a_row, word(row)) for row in range(ROWS)]
    places = [
        at(builder.add(c, builder.mul(c_row, word(row))), part, vector)
        for row in range(ROWS)
        for part in parts
    ]
    before = builder.block
    load, loop, done = (builder.append_basic_block(name) for name in ("load", "loop", "done"))
    builder.cbranch(builder.icmp_unsigned("!=", add, add.type(0)), load, loop)
    builder.position_at_end(load)
    already = [builder.load(place, align=BYTES) for place in places]
    builder.branch(loop)

    builder.position_at_end(loop)
    step = builder.phi(word)
    step.add_incoming(word(0), before)
    step.add_incoming(word(0), load)
    sums = [builder.phi(vector) for _ in places]
    for total, old in zip(sums, already, strict=True):
        total.add_incoming(ir.Constant(vector, [0.0] * LANES), before)
        total.add_incoming(old, load)
    line = builder.add(b, builder.mul(step, b_row))
    right = [builder.load(at(line, part, vector), align=BYTES) for part in parts]
    offset = builder.mul(step, word(BYTES))
    grown: list[Any] = []
    for row in range(ROWS):
        value = builder.load(at(builder.add(a, lines[row]), offset, number), align=BYTES)
        wide = builder.insert_element(none, value, ir.IntType(32)(0))
        wide = builder.shuffle_vector(wide, none, everywhere)
        for part, total in zip(right, sums[len(grown) : len(grown) + len(parts)], strict=True):
            # "contract" lets the two become one instruction where the chip has it
            product = builder.fmul(wide, part, flags=("contract",))
            grown.append(builder.fadd(total, product, flags=("contract",)))
    following = builder.add(step, word(1))
    step.add_incoming(following, loop)
    for total, value in zip(sums, grown, strict=True):
        total.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, done)

    builder.position_at_end(done)
    for place, value in zip(places, grown, strict=True):
        builder.store(value, place, align=BYTES)
    return context.get_dummy_value()


_block: Any = intrinsic(_typed)


@compiled
def multiply(a: Floats, b: Floats, c: Floats, add: bool) -> None:
    """c (T, 16 * panels or more) = or += a (T, K) @ b (panels, K, 16). T is a multiple of six; b is contiguous, and
    so is each row of the others."""
    panels, depth, _ = b.shape
    left, right, out = a.ctypes.data, b.ctypes.data, c.ctypes.data
    a_row, c_row = a.strides[0], c.strides[0]
    for first in range(0, depth, DEEP):
        count = min(DEEP, depth - first)
        for panel in range(panels):
            line = right + BYTES * PANEL * (panel * depth + first)
            for row in range(0, len(c), ROWS):
                here = out + row * c_row + BYTES * PANEL * panel
                _block(
                    left + row * a_row + BYTES * first,
                    a_row,
                    line,
                    BYTES * PANEL,
                    count,
                    here,
                    c_row,
                    add or first > 0,
                )


@compiled
def products(seen: Floats, kernel: Floats, product: Floats, count: int, apart: int) -> None:
    """product[p] = sum over taps t of seen[p, t * apart * inside:] @ kernel[t, p], of `count` rows; kernel is (taps,
    planes, panels, inside, 16)."""
    taps, planes, panels, inside, _ = kernel.shape
    for plane in range(planes):
        out = product[plane, : count * panels * PANEL].reshape(count, panels * PANEL)
        for tap in range(taps):
            first = tap * apart * inside
            left = seen[plane, first : first + count * inside].reshape(count, inside)
            multiply(left, kernel[tap, plane], out, tap > 0)


@compiled
def pieces(
    a: Floats, b: Floats, b_row: int, c: Floats, c_row: int, width: int, places: Places, add: bool
) -> None:
    """For each (from, to) of places (N, 2): c = or += a (T, K) @ b, where b is the matrix (K, width) that starts at
    number `from` of a flat b, and c the one (T, width) at number `to` of a flat c, their rows `b_row` and `c_row`
    numbers apart. T is a multiple of six, width of sixteen."""
    count, a_row = a.shape[1], a.strides[0]
    left, right, out = a.ctypes.data, b.ctypes.data, c.ctypes.data
    for piece in range(len(places)):
        for row in range(0, len(a), ROWS):
            for panel in range(0, width, PANEL):
                line = right + BYTES * (places[piece, 0] + panel)
                here = out + BYTES * (places[piece, 1] + row * c_row + panel)
                _block(left + row * a_row, a_row, line, BYTES * b_row, count, here, BYTES * c_row, add)


def panels_of(matrices: Tensor) -> Tensor:
    """(..., panels, K, 16) from (..., K, N): the right side of `products`."""
    whole = nn.functional.pad(matrices, (0, -matrices.shape[-1] % PANEL))
    return whole.unflatten(-1, (-1, PANEL)).transpose(-2, -3).contiguous()
