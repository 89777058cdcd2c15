"""Quantiles from a histogram equal numpy's."""

import numpy as np
import pytest

from handler.histogram import LEVELS, histogram, quantile


@pytest.mark.parametrize("share", [0.5, 0.75, 1.0])
@pytest.mark.parametrize("seed", range(20))
def test_quantiles_equal_those_of_numpy(seed, share):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, rng.integers(2, 257), rng.integers(1, 12, 2), dtype=np.uint8)
    mask = rng.random(pixels.shape) < 0.5
    mask[0, 0] = True
    assert quantile(histogram(pixels), share) == pytest.approx(np.quantile(pixels, share))
    counts = histogram(pixels.T, mask.T)
    assert np.array_equal(counts, np.bincount(pixels[mask], minlength=256))
    distance = np.abs(pixels[mask] - 3.5)
    assert quantile(counts, share, np.abs(LEVELS - 3.5)) == pytest.approx(np.quantile(distance, share))
