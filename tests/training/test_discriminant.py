"""The second opinion knows what a class looks like, leaves the first as it is, and can be taken away again."""

import numpy as np
import pytest
import torch

from handler.model import OUTPUTS, DigitClassifier
from handler.predictor import digit_scores
from tests.training import synthetic
from training.checkpoint import logits_of
from training.discriminant import discriminant, with_discriminant, without_discriminant
from training.strokes.generate import NO_DIGIT, Drawings


def _places(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points around a place of each class's own, the digits on a circle and "no digit" in its middle."""
    labels = np.arange(count) % OUTPUTS
    angles = labels / NO_DIGIT * 2 * np.pi
    places = np.where((labels == NO_DIGIT)[:, None], 0.0, np.stack([np.cos(angles), np.sin(angles)], axis=1))
    return places + np.random.default_rng(0).normal(0, 0.05, (count, 2)), labels


def test_each_point_is_of_the_class_that_it_lies_next_to():
    seen, labels = _places(550)
    weight, bias = discriminant(seen, labels)
    assert (weight.shape, bias.shape) == ((OUTPUTS, 2), (OUTPUTS,))
    assert ((seen @ weight.T + bias).argmax(axis=1) == labels).mean() > 0.99


def test_a_direction_in_which_all_classes_vary_counts_for_less():
    seen, labels = _places(550)
    stretched = np.column_stack([seen, np.random.default_rng(1).normal(0, 1, len(seen))])
    weight, _ = discriminant(stretched, labels)
    assert np.abs(weight[:, 2]).max() < 0.01 * np.abs(weight[:, :2]).max()


@pytest.fixture(scope="module")
def learned():
    return synthetic.digits(200)


@pytest.fixture(scope="module")
def drawings(learned):
    none = np.random.default_rng(0).integers(0, 256, (50, 28, 28), dtype=np.uint8)
    labels = np.concatenate([learned.labels[:100], np.full(50, NO_DIGIT)])
    return Drawings(np.concatenate([learned.images[:100], none]), labels, np.zeros(150, np.int64))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return DigitClassifier((8, 12, 12, 16, 20)).eval()


def test_the_logits_of_the_network_stay_as_they_are(network, learned, drawings):
    own = logits_of(network, learned.images)
    both = logits_of(with_discriminant(network, [learned], drawings), learned.images)
    assert both.shape == (200, 2 * OUTPUTS)
    np.testing.assert_allclose(both[:, :OUTPUTS], own, atol=1e-4)  # processors round otherwise


def test_it_tells_noise_from_digits_where_the_network_has_not_learned_to(network, learned, drawings):
    both = with_discriminant(network, [learned], drawings)
    noise = np.random.default_rng(1).integers(0, 256, (50, 28, 28), dtype=np.uint8)
    of_digits, of_noise = (logits_of(both, images)[:, OUTPUTS:] for images in (learned.images, noise))
    assert digit_scores(of_digits, 1.0).min() > digit_scores(of_noise, 1.0).max()


def test_a_second_one_takes_the_place_of_the_first(network, learned, drawings):
    once = with_discriminant(network, [learned], drawings)
    state = with_discriminant(once, [learned], drawings).state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in once.state_dict().items())


def test_taken_away_the_network_is_the_one_that_was_trained(network, learned, drawings):
    state = without_discriminant(with_discriminant(network, [learned], drawings).state_dict())
    assert state.keys() == network.state_dict().keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
