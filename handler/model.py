"""The network: 360,000 parameters, read from top to bottom.

The full 28x28 picture is looked at once and then halved: nearly all of the work lies at 14x14 and 7x7, so that it
trains on two ordinary cores in minutes and answers in well under a millisecond.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Of each convolution; and the logits: ten digits, and "no digit". What serves has these twice, for it has a second
# opinion on that: training/discriminant.py.
CHANNELS = (48, 72, 72, 144, 144)
OUTPUTS = 11


class DigitClassifier(nn.Module):
    """Logits of the digits 0 to 9, and one for a drawing that is none.

    Takes float32 (N, 1, 28, 28), ink 1 on paper 0, as `handler.preprocessing` prepares it; gives (N, outputs).
    """

    def __init__(self, channels: Sequence[int] = CHANNELS, outputs: int = OUTPUTS) -> None:
        super().__init__()
        first, second, third, fourth, fifth = channels
        self.layers = nn.Sequential(
            *_convolution(1, first),
            nn.MaxPool2d(2),
            *_convolution(first, second),
            *_convolution(second, third),
            nn.MaxPool2d(2),
            *_convolution(third, fourth),
            *_convolution(fourth, fifth),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(fifth, outputs),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images)
        return logits

    def features(self, images: Tensor) -> Tensor:
        """What the last layer sees, (N, features)."""
        seen: Tensor = self.layers[:-1](images)
        return seen


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),  # the normalisation has the bias
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def restored(state_dict: Mapping[str, Tensor]) -> DigitClassifier:
    """The network that these weights are of; its widths are theirs. Raises RuntimeError for other weights."""
    channels = [weight.shape[0] for weight in state_dict.values() if weight.dim() == 4]
    outputs = [weight.shape[0] for weight in state_dict.values() if weight.dim() == 2]
    if len(channels) != len(CHANNELS) or len(outputs) != 1:
        raise RuntimeError(
            f"These weights have {len(channels)} convolutions and {len(outputs)} linear layers, not "
            f"{len(CHANNELS)} and 1: they belong to another network."
        )
    model = DigitClassifier(channels, outputs[0])
    model.load_state_dict(state_dict)
    return model


def folded(model: DigitClassifier) -> DigitClassifier:
    """The same trained network for answering alone: a sixth faster, its logits equal but for rounding.

    Each normalisation is folded into the convolution before it, what only training needs is left out, and a ReLU
    writes where it reads.
    """
    layers: list[nn.Module] = []
    model.eval().double()  # folded in single precision, probabilities would be off by 1e-6 rather than 1e-7
    for layer, following in pairwise([*model.layers, nn.Identity()]):
        if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
            layers.append(fuse_conv_bn_eval(layer, following))
        elif isinstance(layer, nn.ReLU):
            layers.append(nn.ReLU(inplace=True))
        elif not isinstance(layer, nn.BatchNorm2d | nn.Dropout):
            layers.append(layer)
    model.layers = nn.Sequential(*layers).float()
    return model
