"""Tests of linear imputation: closed forms, a sparse factorisation in float64, and what it may not depend on."""

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.sparse.linalg import spsolve
from torch import Tensor
from torch.nn import functional as F

from heatmark.metrics.engine import multigrid
from heatmark.metrics.engine.imputation import _equations, imputed

MASKS = ("scattered", "smooth", "one_known")


def image_of(height: int, width: int, seed: int = 0) -> Tensor:
    """Return coarse noise with fine noise on it, (3, H, W), in about [0, 1.2]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = F.interpolate(torch.rand(1, 3, 4, 4, generator=generator), (height, width), mode="bilinear")[0]
    return coarse + 0.2 * torch.rand(3, height, width, generator=generator)


def known_of(kind: str, height: int, width: int, seed: int = 1) -> Tensor:
    """Return the pixels that are left, (2, H, W): about half and about a tenth of them, or a single one."""
    generator = torch.Generator().manual_seed(seed)
    if kind == "one_known":
        values = torch.arange(height * width).flip(0).view(height, width)
        return torch.stack([values < 1, values < height * width - 1])
    side = (height, width) if kind == "scattered" else (3, 3)
    noise = torch.rand(1, 1, *side, generator=generator)
    values = F.interpolate(noise, (height, width), mode="bilinear", align_corners=True)[0, 0]
    return torch.stack([values < values.quantile(share) for share in (0.5, 0.1)])


def factorised(image: Tensor, known: Tensor) -> Tensor:
    """Return the image imputed by a loop over pixels and a sparse factorisation in float64."""
    height, width = known.shape
    places = [(y, x) for y in range(height) for x in range(width) if not known[y, x]]
    numbers = {place: number for number, place in enumerate(places)}
    matrix, right = sparse.lil_matrix((len(places), len(places))), np.zeros((len(places), len(image)))
    for (y, x), number in numbers.items():
        for j, i in [(j, i) for j in (y - 1, y, y + 1) for i in (x - 1, x, x + 1) if (j, i) != (y, x)]:
            if not (0 <= j < height and 0 <= i < width):
                continue
            weight = 1 / 6 if j == y or i == x else 1 / 12
            matrix[number, number] += weight
            if known[j, i]:
                right[number] += weight * image[:, j, i].double().numpy()
            else:
                matrix[number, numbers[j, i]] -= weight
    result = image.double().clone()
    solution = spsolve(matrix.tocsc(), right).reshape(right.shape)
    for (y, x), number in numbers.items():
        result[:, y, x] = torch.from_numpy(solution[number])
    return result


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("size", [(1, 7), (2, 2), (3, 5), (16, 16), (31, 18), (40, 57)])
def test_is_the_solution_of_a_sparse_factorisation(kind: str, size: tuple[int, int]) -> None:
    image, known = image_of(*size), known_of(kind, *size)
    known[:, 0, 0] |= ~known.flatten(1).any(dim=1)
    for filled, left in zip(imputed(image, known), known, strict=True):
        assert filled.dtype == torch.float32
        assert (filled - factorised(image, left)).abs().max() < 5e-5


def test_a_hole_of_one_pixel_is_the_weighted_mean_of_its_neighbours() -> None:
    image = torch.tensor([[0.0, 6, 12], [18, 999, 24], [30, 36, 42]])[None]
    known = torch.ones(1, 3, 3, dtype=torch.bool)
    known[0, 1, 1] = False
    assert float(imputed(image, known)[0, 0, 1, 1]) == pytest.approx((0 + 12 + 30 + 42) / 12 + (6 + 18 + 24 + 36) / 6)
    known = torch.ones(1, 3, 3, dtype=torch.bool)
    known[0, 0, 0] = False  # a corner has three neighbours, with weights 2/5, 2/5 and 1/5
    assert float(imputed(image, known)[0, 0, 0, 0]) == pytest.approx(0.4 * 6 + 0.4 * 18 + 0.2 * 999, rel=1e-5)


def test_a_ramp_is_imputed_exactly_inside_its_border() -> None:
    rows, columns = torch.meshgrid(torch.arange(33.0), torch.arange(40.0), indexing="ij")
    ramp = torch.stack([rows / 33, columns / 40, 0.3 + rows / 99 - columns / 80])
    known = known_of("smooth", 33, 40)
    known[:, [0, -1]] = True
    known[:, :, [0, -1]] = True
    garbled = torch.where(known[1], ramp, 1e6)  # values of missing pixels are not read
    assert (~known[1]).sum() > 800
    assert torch.allclose(imputed(ramp, known), ramp.expand(2, -1, -1, -1), atol=2e-5)
    assert torch.equal(imputed(garbled, known[1:]), imputed(ramp, known[1:]))


def test_keeps_known_pixels_to_the_bit_and_stays_between_them() -> None:
    image, known = image_of(31, 18), known_of("smooth", 31, 18)
    for filled, left in zip(imputed(image, known), known, strict=True):
        assert torch.equal(filled[:, left], image[:, left])
        low, high = image[:, left].amin(dim=1), image[:, left].amax(dim=1)
        assert (filled.flatten(1).amin(dim=1) >= low - 1e-5).all()
        assert (filled.flatten(1).amax(dim=1) <= high + 1e-5).all()


def test_nothing_missing_and_nothing_known_leave_the_image() -> None:
    image = image_of(9, 8)
    known = torch.stack([torch.ones(9, 8, dtype=torch.bool), torch.zeros(9, 8, dtype=torch.bool)])
    assert torch.equal(imputed(image, known), image.expand(2, -1, -1, -1))


def test_a_constant_image_stays_constant() -> None:
    image = torch.full((3, 20, 20), 0.7)
    assert torch.allclose(imputed(image, known_of("smooth", 20, 20)), image, atol=1e-6)


@pytest.mark.parametrize("factor", [1e-3, 255.0])
def test_is_linear_in_the_image(factor: float) -> None:
    image, known = image_of(31, 18), known_of("smooth", 31, 18)
    expected = factor * imputed(image, known) + factor
    assert (imputed(factor * image + factor, known) - expected).abs().max() < 1e-4 * factor


def test_is_the_same_when_few_sets_are_solved_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    image, known = image_of(31, 18), known_of("scattered", 31, 18)
    together = imputed(image, known)
    monkeypatch.setattr("heatmark.metrics.engine.imputation.PIXELS_AT_ONCE", 1)
    assert (imputed(image, known) - together).abs().max() < 2e-5


def test_a_nan_pixel_gives_nan_and_ends() -> None:
    image = image_of(12, 12)
    image[0, 0, 0] = torch.nan
    known = known_of("smooth", 12, 12)
    known[:, 0, 0] = True
    filled = imputed(image, known)
    assert filled.isnan().any()


def test_half_precision_is_solved_in_single() -> None:
    image, known = image_of(31, 18), known_of("smooth", 31, 18)
    half = imputed(image.half(), known)
    assert half.dtype == torch.float16
    assert torch.equal(half, imputed(image.half().float(), known).half())


def test_float64_is_solved_in_float64() -> None:
    image, known = image_of(31, 18).double(), known_of("smooth", 31, 18)
    assert imputed(image, known).dtype == torch.float64


def test_a_residual_that_stays_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multigrid, "MOST_ITERATIONS", 1)
    with pytest.raises(RuntimeError, match=r"residual of .* after 1 iterations"):
        imputed(image_of(31, 18), known_of("smooth", 31, 18))


def test_few_iterations_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multigrid, "MOST_ITERATIONS", 10)  # nine: the tenth would find that nothing is left to do
    for kind in MASKS:
        imputed(image_of(128, 96), known_of(kind, 128, 96))


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 4), (8, 9)])
def test_a_step_down_is_the_transpose_of_a_step_up(size: tuple[int, int]) -> None:
    coarse = (size[0] // 2 + 1, size[1] // 2 + 1)
    generator = torch.Generator().manual_seed(0)
    fine, below = torch.rand(1, 1, *size, generator=generator), torch.rand(1, 1, *coarse, generator=generator)
    assert multigrid.down(fine).shape[2:] == coarse
    assert multigrid.up(below, size).shape[2:] == size
    ways = (multigrid.up(below, size) * fine).sum(), (below * multigrid.down(fine)).sum()
    assert float(ways[0]) == pytest.approx(float(ways[1]), rel=1e-5)


def test_jacobi_steps_converge_on_every_grid() -> None:
    missing = (~known_of("scattered", 64, 64))[:, None].float()
    levels = multigrid._hierarchy(_equations(missing))
    assert [level.unknown.shape[-1] for level in levels] == [64, 33, 17, 9, 5, 3]
    for level in levels:  # a row's Σ |D⁻¹A| bounds ρ(D⁻¹A), which has to be below 2
        rows = torch.stack([weight.abs() for weight in level.weights]).sum(dim=0) * level.damped
        assert 0 < float(rows.max()) < 2


def test_a_coarser_matrix_is_the_product_with_both_steps() -> None:
    missing = (~known_of("scattered", 20, 15))[:, None].float()
    fine, coarse = multigrid._hierarchy(_equations(missing))[:2]
    x = torch.rand(2, 1, 11, 8, generator=torch.Generator().manual_seed(0))
    expected = multigrid.down(fine.unknown * fine.apply(fine.unknown * multigrid.up(x, (20, 15))))
    assert torch.allclose(coarse.apply(x), expected, atol=1e-5)
