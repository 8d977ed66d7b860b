"""Multigrid: symmetric sparse equations on the pixels of a grid, solved by preconditioned conjugate gradients.

An equation couples a pixel with its eight neighbours: (A x)_i = Σ_o a_o(i) x_(i+o), for the nine offsets o. Coarser
grids have every second row and column; the step between two grids is bilinear interpolation P, and the coarser matrix
is Pᵀ A P, which has nine offsets again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

VERSION = 1
"""Raised by whoever changes a solution."""

OFFSETS = [(row, column) for row in range(3) for column in range(3)]
"""The nine neighbours of a pixel as places in its 3 × 3 square; the pixel itself is the fifth."""
COARSEST_SIDE = 3
DAMPING = 0.95
"""Factor of a Jacobi step, below 1: ρ(D⁻¹A) is at most 2 for the D of ``_level``, so that every step converges."""
MOST_ITERATIONS = 60
"""Four to eight are usual, for holes of any form and size."""
TINY = 1e-6
"""Diagonals below it, rounding errors of 0, belong to no unknown; the finest diagonals are about 1."""


@dataclass(frozen=True)
class Level:
    """The equations on one grid.

    Args:
        weights: a_o for the nine offsets, each (N, 1, H, W).
        unknown: (N, 1, H, W), 1 at unknowns, else 0.
        damped: (N, 1, H, W), the damping over the diagonal at unknowns, else 0.
    """

    weights: Sequence[Tensor]
    unknown: Tensor
    damped: Tensor

    def apply(self, x: Tensor) -> Tensor:
        """Return A x, (N, C, H, W)."""
        height, width = x.shape[-2:]
        around = F.pad(x, (1, 1, 1, 1))
        result = self.weights[4] * x
        for weight, (row, column) in zip(self.weights, OFFSETS, strict=True):
            if (row, column) != (1, 1):
                result.addcmul_(weight, around[..., row : row + height, column : column + width])
        return result

    def step(self, x: Tensor, right: Tensor) -> Tensor:
        """Return x after a damped Jacobi step towards A x = right."""
        return torch.addcmul(x, self.damped, right - self.apply(x))


def solved(weights: Sequence[Tensor], right: Tensor, limit: Tensor) -> Tensor:
    """Return x with A x = right, (N, C, H, W), 0 at pixels without an equation.

    Conjugate gradients with a V-cycle as preconditioner, each system until all its residuals are within its limit.

    Args:
        weights: a_o for the nine offsets, each (N, 1, H, W), symmetric and positive definite; all 0 where a pixel has
            no equation.
        right: (N, C, H, W), 0 where a pixel has no equation.
        limit: (N, 1, 1, 1), the largest residual allowed.

    Raises:
        RuntimeError: if a residual stays above its limit.
    """
    levels = _hierarchy(weights)
    x, residual, direction = torch.zeros_like(right), right, torch.zeros_like(right)
    product = torch.full_like(limit, torch.inf)
    for _ in range(MOST_ITERATIONS):
        active = residual.abs().amax(dim=(1, 2, 3), keepdim=True) > limit
        if not active.any():
            return x
        correction = _cycle(levels, residual)
        previous, product = product, _dot(residual, correction)
        direction = correction + torch.where(active, product / previous, 0.0) * direction
        applied = levels[0].apply(direction)
        step = torch.where(active, product / _dot(direction, applied), 0.0)
        x, residual = x + step * direction, residual - step * applied
    raise RuntimeError(
        f"a residual of {float(residual.abs().amax()):.2g} after {MOST_ITERATIONS} iterations of conjugate gradients, "
        f"expected at most {float(limit.amin()):.2g}"
    )


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum(dim=(1, 2, 3), keepdim=True)


def _hierarchy(weights: Sequence[Tensor]) -> list[Level]:
    """Return the levels, finest first, down to a grid of three rows and columns."""
    levels = [_level(weights)]
    while max(levels[-1].unknown.shape[-2:]) > COARSEST_SIDE:
        levels.append(_level(_coarser(levels[-1])))
    return levels


def _level(weights: Sequence[Tensor]) -> Level:
    unknown = weights[4] > TINY
    half = sum((weight.abs() for weight in weights), torch.zeros_like(weights[4])) / 2
    damped = torch.where(unknown, DAMPING / torch.maximum(weights[4], half), 0.0)
    return Level(weights, unknown.to(damped.dtype), damped)


def _cycle(levels: Sequence[Level], right: Tensor) -> Tensor:
    """Return an approximate solution of A x = right: a V-cycle with a Jacobi step before and after, symmetric."""
    finest, *coarser = levels
    x = finest.damped * right
    if coarser:
        correction = up(_cycle(coarser, down(right - finest.apply(x))), (right.shape[-2], right.shape[-1]))
        x = torch.addcmul(x, finest.unknown, correction)
    return finest.step(x, right)


def _coarser(level: Level) -> list[Tensor]:
    """Return the weights of Pᵀ A P.

    Coarse pixels three apart share no neighbour. Nine pictures, each with a 1 at every third row and column, therefore
    hold all pixels, and a pixel reads the weight of a neighbour in the one picture that has this neighbour.
    """
    height, width = level.unknown.shape[-2:]
    rows, columns = (torch.arange(side // 2 + 1, device=level.unknown.device) for side in (height, width))
    colours = (rows % 3)[:, None] * 3 + columns % 3
    ones = F.one_hot(colours, 9).permute(2, 0, 1)[None].to(level.unknown.dtype)
    products = down(level.apply(level.unknown * up(ones, (height, width))) * level.unknown)
    weights = []
    for row, column in OFFSETS:  # a neighbour outside the grid has the colour of a pixel two away, whose weight is 0
        colour = ((rows + row - 1) % 3)[:, None] * 3 + (columns + column - 1) % 3
        weights.append(products.gather(1, colour.expand(len(products), 1, -1, -1)))
    return weights


def up(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Return P x, (N, C, H, W): every coarse pixel at an even place, means of neighbours between them.

    Args:
        x: (N, C, H // 2 + 1, W // 2 + 1).
        size: H and W.
    """
    for dim, side in zip((-2, -1), size, strict=True):
        after = torch.cat([x.narrow(dim, 1, x.shape[dim] - 1), torch.zeros_like(x.narrow(dim, 0, 1))], dim=dim)
        x = torch.stack([x, (x + after) / 2], dim=dim).flatten(dim - 1, dim).narrow(dim, 0, side)
    return x


def down(x: Tensor) -> Tensor:
    """Return Pᵀ x, (N, C, H // 2 + 1, W // 2 + 1)."""
    height, width = x.shape[-2:]
    x = F.pad(x, (1, 2 - width % 2, 1, 2 - height % 2))
    x = x[..., 1:-1:2, :] + (x[..., :-2:2, :] + x[..., 2::2, :]) / 2
    return x[..., 1:-1:2] + (x[..., :-2:2] + x[..., 2::2]) / 2
