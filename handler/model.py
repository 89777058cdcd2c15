"""The network: 315,000 parameters, read from top to bottom.

The first convolution halves the image: at 28x28 a second convolution costs as much as all others together and improved
nothing. A prediction takes two fifths of the time of release 1.4's network (benchmarks/training.md).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Output channels of each convolution: multiples of 16, because a processor computes 16 numbers at once.
CHANNELS = (48, 48, 96, 96, 192)
DIGITS = 10
OUTPUTS = DIGITS + 1  # logits of the digits and "no digit"


class DigitClassifier(nn.Module):
    """Logits (N, outputs) of the digits 0 to 9 and of "no digit".

    The input is float32 (N, 1, 28, 28) with ink 1 on paper 0, as `handler.preprocessing` prepares it. In releases up to
    1.4 the first convolution has 3x3 pixels (`stem`) and stride 1.
    """

    def __init__(self, channels: Sequence[int] = CHANNELS, outputs: int = OUTPUTS, stem: int = 5) -> None:
        super().__init__()
        convolutions = _convolutions_of_1_4 if stem == 3 else _convolutions
        self.layers = nn.Sequential(
            *convolutions(*channels),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(channels[-1], outputs),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)

    def features(self, images: Tensor) -> Tensor:
        """The input of the last layer, (N, features)."""
        return self.layers[:-1](images)


def _convolutions(first: int, second: int, third: int, fourth: int, fifth: int) -> list[nn.Module]:
    return [
        *_convolution(1, first, size=5, stride=2),  # 14x14
        *_convolution(first, second),
        nn.MaxPool2d(2),  # 7x7
        *_convolution(second, third),
        *_convolution(third, fourth),
        *_convolution(fourth, fifth, stride=2),  # 4x4
    ]


def _convolutions_of_1_4(first: int, second: int, third: int, fourth: int, fifth: int) -> list[nn.Module]:
    return [
        *_convolution(1, first),
        nn.MaxPool2d(2),
        *_convolution(first, second),
        *_convolution(second, third),
        nn.MaxPool2d(2),
        *_convolution(third, fourth),
        *_convolution(fourth, fifth),
    ]


def _convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
    # Batch normalization adds the bias.
    convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def restore_model(state_dict: Mapping[str, Tensor]) -> DigitClassifier:
    """The network with these weights, built from their shapes. Raises RuntimeError for weights of another network."""
    convolutions = [weight.shape for weight in state_dict.values() if weight.dim() == 4]
    outputs = [weight.shape[0] for weight in state_dict.values() if weight.dim() == 2]
    if len(convolutions) != len(CHANNELS) or len(outputs) != 1:
        raise RuntimeError(
            f"These weights have {len(convolutions)} convolutions and {len(outputs)} linear layers, not "
            f"{len(CHANNELS)} and 1: they belong to another network."
        )
    model = DigitClassifier([shape[0] for shape in convolutions], outputs[0], stem=convolutions[0][-1])
    model.load_state_dict(state_dict)
    return model


def fold_batch_norm(model: DigitClassifier) -> DigitClassifier:
    """The same trained network for inference: a sixth faster, with the same logits except for rounding.

    Each batch normalization is folded into the convolution before it, dropout is removed, and ReLU works in place.
    """
    layers: list[nn.Module] = []
    model.eval().double()  # in single precision, folding changes probabilities by 1e-6 instead of 1e-7
    for layer, following in pairwise([*model.layers, nn.Identity()]):
        if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
            layers.append(fuse_conv_bn_eval(layer, following))
        elif isinstance(layer, nn.ReLU):
            layers.append(nn.ReLU(inplace=True))
        elif not isinstance(layer, nn.BatchNorm2d | nn.Dropout):
            layers.append(layer)
    model.layers = nn.Sequential(*layers).float()
    return model
