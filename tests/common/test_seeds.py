"""The seeds of before, written out: a draw of any purpose keeps its bits."""

import hashlib

import torch

from heatmark.common.seeds import image_generator, image_seed

IMAGE = torch.linspace(-1, 1, 48).view(3, 4, 4)


def by_hand(salt: bytes, seed: int) -> int:
    pixels = IMAGE.numpy().tobytes()
    digest = hashlib.sha256(salt + seed.to_bytes(8, "little", signed=True) + pixels).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def test_what_methods_draw_has_no_salt_and_ties_have_theirs() -> None:
    for seed in (0, 3, -1):
        assert image_seed(IMAGE, seed) == by_hand(b"", seed)
        assert image_seed(IMAGE, seed, "ties") == by_hand(b"ties", seed)
        generator = torch.Generator().manual_seed(by_hand(b"ties", seed))
        drawn = torch.rand(9, generator=image_generator(IMAGE, seed, "ties"))
        assert torch.equal(drawn, torch.rand(9, generator=generator))
    assert image_seed(IMAGE, 0, "ties") != image_seed(IMAGE, 0)
