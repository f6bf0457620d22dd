"""Which poses a gaze grid is made of, in which order they are made, and where each cell lies. Pure arithmetic.

Row 0 looks up, column 0 looks to the picture's left. The middle row and column of an odd grid belong to the lower
and the right quadrants.
"""

from dataclasses import dataclass

from models.requests import Pose

SMALLEST, LARGEST = 3, 60  # cells a side
DESKTOP, MOBILE = 30, 20
YAW, PITCH = 10.0, 8.0  # degrees at the edges of the grid

Cell = tuple[int, int]  # row, column


@dataclass(frozen=True)
class Quadrant:
    """A quarter of the grid, one sheet: rows and columns [first, last)."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Row by row, as they lie on the sheet."""
        return tuple((row, column) for row in range(*self.rows) for column in range(*self.columns))


def check(side: int) -> int:
    """`side` if a grid can have it; raises ValueError with a sentence for the person."""
    if not SMALLEST <= side <= LARGEST:
        raise ValueError(f"A grid has {SMALLEST} to {LARGEST} cells a side, not {side}.")
    return side


def steps(side: int) -> tuple[float, ...]:
    """From -1 to 1 in `side` even steps; the middle one of an odd grid is exactly 0."""
    return tuple((2 * index - (side - 1)) / (side - 1) for index in range(check(side)))


def pose(cell: Cell, side: int, yaw: float = YAW, pitch: float = PITCH) -> Pose:
    """What the cell shows. yaw, pitch: degrees at the edges of the grid."""
    along = steps(side)
    x, y = along[cell[1]], -along[cell[0]]
    return Pose(yaw=yaw * x, pitch=pitch * y, pupil_x=x, pupil_y=y)


def poses(side: int, yaw: float = YAW, pitch: float = PITCH) -> dict[Cell, Pose]:
    """Every cell's pose, in the order in which they are made."""
    return {cell: pose(cell, side, yaw, pitch) for cell in order(side)}


def order(side: int) -> tuple[Cell, ...]:
    """Every cell once: the four corners, the centre, then ever finer lattices between them."""
    last, middle = check(side) - 1, side // 2
    seen = dict.fromkeys([(0, 0), (0, last), (last, 0), (last, last), (middle, middle)])
    parts = 2
    while len(seen) < side * side:
        lattice = [round(part * last / parts) for part in range(parts + 1)] if parts < last else range(side)
        seen.update(dict.fromkeys((row, column) for row in lattice for column in lattice))
        parts *= 2
    return tuple(seen)


def quadrants(side: int) -> tuple[Quadrant, Quadrant, Quadrant, Quadrant]:
    """Top left, top right, bottom left, bottom right: the sheets q0 to q3."""
    first, second = (0, check(side) // 2), (side // 2, side)
    return (
        Quadrant(first, first),
        Quadrant(first, second),
        Quadrant(second, first),
        Quadrant(second, second),
    )


def sample(side: int, smaller: int) -> tuple[int, ...]:
    """Which of `side` rows (or columns) a smaller grid shows: evenly spread, both edges among them."""
    if not 2 <= smaller <= side:
        raise ValueError(f"A grid of {side} cells a side has no sample of {smaller}.")
    return tuple((2 * index * (side - 1) + smaller - 1) // (2 * (smaller - 1)) for index in range(smaller))


def mobile_side(side: int, wished: int = MOBILE) -> int:
    """Cells a side of the mobile grid: never more than the grid has."""
    return min(check(wished), side)
