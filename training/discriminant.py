"""A second opinion on whether a drawing is a digit, from the same features and in closed form.

    network = with_discriminant(network, [learned], drawings)

The longer a network learns, the surer it is of all that lies on a digit's side of a border, however far from any digit.
The second opinion is sure of what lies near: each digit, and "no digit", is a normal distribution of what the last
layer sees, all with one covariance, whose logarithms differ by linear functions (R. A. Fisher, "The Use of Multiple
Measurements in Taxonomic Problems", 1936). So they are more rows of the last layer and cost nothing to ask;
`digit_score` is the lower of both opinions.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from handler.model import OUTPUTS, DigitClassifier, restored
from training.batches import features
from training.data import Digits
from training.strokes.generate import NO_DIGIT, Drawings

# Of each source: the features are a hundred.
SAMPLES = 10_000
# Added to the covariance: a share of its mean variance, for some features hardly vary.
SHRINKAGE = 0.01


def with_discriminant(network: nn.Module, learned: Sequence[Digits], drawings: Drawings) -> DigitClassifier:
    """The network with a second opinion in place of any that it has: the logits of its own, and OUTPUTS more.

    Takes what the network has learned from, for it is to tell what that looks like.
    """
    own = restored(without_discriminant(network.state_dict())).eval()
    none = drawings.labels == NO_DIGIT
    sources = [
        *((digits.images, digits.labels) for digits in learned),
        (drawings.images[~none], drawings.labels[~none]),
        (drawings.images[none], drawings.labels[none]),
    ]
    images, labels = (
        np.concatenate([part[:SAMPLES] for part in parts]) for parts in zip(*sources, strict=True)
    )
    seen = features(own, images).astype(np.float64)
    weight, bias = discriminant(seen, labels)
    state = own.state_dict()
    last = _last_layer(state)
    # Both opinions of the digits are spread as widely: else the wider would always be the lower.
    of_digits = seen[labels != NO_DIGIT]
    trained = (state[f"{last}.{name}"].double().numpy() for name in ("weight", "bias"))
    scale = _spread(of_digits, *trained) / _spread(of_digits, weight, bias)
    for name, rows in ((f"{last}.weight", weight), (f"{last}.bias", bias)):
        state[name] = torch.cat([state[name], torch.from_numpy(scale * rows).float()])
    return restored(state)


def without_discriminant(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights without a second opinion, as they were trained."""
    last = _last_layer(state)
    return {
        name: tensor[:OUTPUTS] if name.startswith(f"{last}.") else tensor for name, tensor in state.items()
    }


def discriminant(
    seen: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (OUTPUTS, features) and bias (OUTPUTS,), by features (N, features) with labels (N,), 0 to NO_DIGIT."""
    means = np.stack([seen[labels == label].mean(axis=0) for label in range(OUTPUTS)])
    apart = seen - means[labels]
    covariance = apart.T @ apart / len(apart)
    covariance += SHRINKAGE * covariance.trace() / len(covariance) * np.eye(len(covariance))
    weight = np.linalg.solve(covariance, means.T).T
    return weight, -0.5 * (weight * means).sum(axis=1)


def _last_layer(state: Mapping[str, Tensor]) -> str:
    return next(name.removesuffix(".weight") for name, tensor in state.items() if tensor.dim() == 2)


def _spread(seen: NDArray[np.float64], weight: NDArray[np.float64], bias: NDArray[np.float64]) -> float:
    """The standard deviation of the log-odds that these are digits."""
    logits = seen @ weight.T + bias
    of_digits = np.logaddexp.reduce(logits[:, :NO_DIGIT], axis=1)
    return float((of_digits - logits[:, NO_DIGIT]).std())
