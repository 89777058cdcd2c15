"""What serves looks three times and has a second opinion, and what was trained is still in it."""

import numpy as np
import torch

from handler.model import OUTPUTS, DigitClassifier
from tests.training import synthetic
from training.checkpoint import logits_of
from training.looks import with_looks
from training.served import as_served, as_trained
from training.strokes.generate import NO_DIGIT, Drawings


def _network() -> DigitClassifier:
    torch.manual_seed(0)
    return DigitClassifier((8, 12, 12, 16, 20)).eval()


def _drawings() -> Drawings:
    images = np.random.default_rng(0).integers(0, 256, (22, 28, 28), dtype=np.uint8)
    labels = np.arange(22) % (NO_DIGIT + 1)
    return Drawings(images, labels, np.zeros(22, np.int64))


def test_moved_by_half_a_pixel_a_line_is_as_long_and_half_as_dark():
    picture = torch.zeros(1, 1, 28, 28)
    picture[..., 14, 5:20] = 1.0
    network = with_looks(_network())
    _, down_right, up_left = torch.nn.functional.conv2d(picture, network.looks, padding=1)[0]
    for look, rows in ((down_right, (14, 15)), (up_left, (13, 14))):
        assert look.sum() == picture.sum()
        assert look[rows, 10].tolist() == [0.5, 0.5]


def test_what_serves_has_the_logits_of_three_looks_and_as_many_of_a_second_opinion():
    learned, network = synthetic.digits(100), _network()
    served = as_served(network, [learned], _drawings())
    logits = logits_of(served, learned.images)
    assert logits.shape == (100, 2 * OUTPUTS)
    np.testing.assert_allclose(logits[:, :OUTPUTS], logits_of(with_looks(network), learned.images), atol=1e-5)


def test_it_is_made_of_what_serves_as_of_what_was_trained():
    learned, network = synthetic.digits(100), _network()
    once = as_served(network, [learned], _drawings()).state_dict()
    assert as_trained(once).keys() == network.state_dict().keys()
    again = as_served(as_served(network, [learned], _drawings()), [learned], _drawings()).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in once.items())
