"""What serves is more than what was trained: it looks three times and has a second opinion.

network = as_served(network, [learned], drawings)
"""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from handler.model import DigitClassifier
from training.data import Digits
from training.discriminant import with_discriminant, without_discriminant
from training.looks import with_looks
from training.strokes.generate import Drawings


def as_served(network: nn.Module, learned: Sequence[Digits], drawings: Drawings) -> DigitClassifier:
    """The network as it serves, in place of any looks and second opinion that it has; takes what it learned from."""
    return with_discriminant(with_looks(network), learned, drawings)


def as_trained(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights as they were trained, of those that serve."""
    return {name: tensor for name, tensor in without_discriminant(state).items() if name != "looks"}
