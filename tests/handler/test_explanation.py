"""Explanations attribute the answer to pixels."""

import numpy as np
import pytest
import torch
from PIL import Image

from handler.explanation import Explanation, attribute, explain
from handler.model import DigitClassifier
from handler.onnx_session import as_tensor
from handler.pick import Ink
from handler.predictor import Predictor
from handler.preprocessing import Candidate, candidates, preprocess
from tests.handler.drawings import drawing


def two_bars() -> np.ndarray:
    """Ink in the top left quarter (digit 0) and less in the bottom right one (digit 3)."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[2:12, 5:8] = 255
    pixels[20:25, 18:21] = 255
    return pixels


def explain_images(predictor: Predictor, images: list[Image.Image]) -> list[Explanation]:
    return explain(predictor, [candidates(image) for image in images])


def explain_two_bars(predictor: Predictor) -> Explanation:
    box = (0, 0, 28, 28)
    return explain(predictor, [[Candidate(two_bars(), Ink(two_bars(), box, box))]])[0]


def test_an_explanation_has_the_fields_of_the_api(predictor):
    image = drawing(4)
    explanation = explain_images(predictor, [image])[0].as_dict()
    prediction = predictor.predict([image])[0].as_dict()
    assert {name: explanation[name] for name in prediction} == prediction
    assert set(explanation) - set(prediction) == {"heatmap", "runner_up", "contrast"}
    for name in ("heatmap", "contrast"):
        values = np.array(explanation[name])
        assert values.shape == (28, 28)
        assert np.abs(values).max() == 1


def test_the_heat_map_shows_evidence_for_and_against_the_digit(predictor):
    explanation = explain_two_bars(predictor)
    heatmap = np.array(explanation.heatmap)
    assert (explanation.prediction.digit, explanation.runner_up) == (0, 3)
    assert (heatmap[2:12, 5:8] == 1).all()
    assert (heatmap[20:25, 18:21] < 0).all()
    assert not heatmap[two_bars() == 0].any()


def test_the_contrast_is_against_the_runner_up(predictor):
    """The ink of digit 3 is full evidence for it as runner-up, and a ninth of that against the mean of all digits."""
    explanation = explain_two_bars(predictor)
    assert np.array(explanation.contrast)[22, 19] == -1
    assert np.array(explanation.heatmap)[22, 19] == pytest.approx(-1 / 9, abs=0.001)


def test_a_blank_has_maps_of_zeros(predictor):
    explanation = explain_images(predictor, [Image.new("L", (280, 280))])[0]
    assert not np.array(explanation.heatmap).any()
    assert not np.array(explanation.contrast).any()
    assert explanation.runner_up != explanation.prediction.digit


def test_several_images_keep_their_order(predictor):
    images = [drawing(7), Image.new("L", (9, 9)), drawing(2)]
    together = explain_images(predictor, images)
    assert together == [explain_images(predictor, [image])[0] for image in images]


def test_no_images_give_no_explanations(predictor):
    assert explain(predictor, []) == []


@pytest.mark.parametrize("digit", [2, 4, 7])
def test_the_attributions_add_up_to_the_change_of_the_logits(digit):
    """Completeness. The tolerance allows for the finite number of steps."""
    torch.manual_seed(0)
    model = DigitClassifier()
    # The logits of an untrained network hardly differ: larger weights make them differ.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(2.0)
    predictor = Predictor(model, temperature=1.0, digit_threshold=0.5, version="1")
    pixels = preprocess(drawing(digit))
    questions = torch.eye(10)[:3] - 0.1
    shares = attribute(predictor, pixels, questions)
    assert shares.shape == (3, 28, 28)
    with torch.inference_mode():
        drawn, blank = predictor.model(as_tensor(np.stack([pixels, np.zeros_like(pixels)])))
    expected = questions @ (drawn - blank)[:10]
    assert expected.abs().max() > 1e-3
    assert shares.sum(dim=(1, 2)).tolist() == pytest.approx(
        expected.tolist(), abs=0.05 * float(expected.abs().max())
    )
