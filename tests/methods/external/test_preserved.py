"""Tests of the seeding and of the chunks with which other libraries are called."""

import random

import numpy as np
import torch

from heatmark.methods.external.preserved import in_chunks, preserved, seed_all


def drawn(image, seed):
    seed_all(image, seed)
    return random.random(), np.random.random(), torch.rand(1).item()


def test_every_generator_is_seeded_by_the_image_and_the_seed(net, images):
    with preserved(net):
        first, again, other, reseeded = (drawn(images[n : n + 1], seed) for n, seed in ((0, 5), (0, 5), (1, 5), (0, 6)))
    assert first == again
    for mine, others, seeds in zip(first, other, reseeded, strict=True):
        assert mine != others
        assert mine != seeds


def test_chunks_keep_their_targets_and_their_order(images, targets):
    seen = in_chunks(images, targets, 2, lambda x, t: x[:, 0, 0, :1] * 0 + t[:, None])
    assert seen[:, 0].tolist() == targets.tolist()
