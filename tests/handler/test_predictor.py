"""The predictor answers for all images in one batch."""

import base64

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from handler.model import DigitClassifier
from handler.pick import Ink
from handler.predictor import Predictor, digit_probabilities, digit_scores, log_odds
from handler.preprocessing import Candidate, preprocess
from tests.handler.conftest import QuadrantModel
from tests.handler.drawings import drawing

BLANK = Image.new("L", (280, 280), 255)


def quadrants(*ink: int) -> np.ndarray:
    """A prepared image with this ink in its quarters."""
    return np.kron(np.array(ink, np.uint8).reshape(2, 2), np.ones((14, 14), np.uint8))


def test_an_answer_has_the_fields_of_the_api(predictor):
    answer = predictor.predict([drawing()])[0].as_dict()
    assert list(answer) == [
        "digit", "confidence", "probabilities", "is_digit", "digit_score", "model_version", "input", "reason",
    ]  # fmt: skip
    assert (answer["is_digit"], answer["reason"]) == (False, "not_a_digit")
    assert answer["model_version"] == "7.3"
    assert len(answer["probabilities"]) == 10
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-12)
    assert answer["confidence"] == max(answer["probabilities"]) == answer["probabilities"][answer["digit"]]
    assert [type(answer[name]) for name in ("digit", "confidence", "is_digit", "digit_score")] == [
        int, float, bool, float,
    ]  # fmt: skip


def test_the_answer_contains_the_network_s_input(predictor):
    answer = predictor.predict([drawing()])[0]
    seen = np.frombuffer(base64.b64decode(answer.input), np.uint8).reshape(28, 28)
    assert np.array_equal(seen, preprocess(drawing()))


def test_the_temperature_divides_the_logits(predictor):
    pixels = quadrants(255, 51, 0, 0)
    logits = torch.tensor([40.0, 8.0] + [0.0] * 8, dtype=torch.float64)
    probabilities = predictor.predict_inputs([pixels])[0].probabilities
    assert probabilities == pytest.approx(torch.softmax(logits / 2, dim=0).tolist(), rel=1e-4)
    hotter = Predictor(QuadrantModel(), temperature=20.0, digit_threshold=0.5, version="1")
    assert hotter.predict_inputs([pixels])[0].probabilities == pytest.approx(
        torch.softmax(logits / 20, dim=0).tolist(), rel=1e-4
    )


@pytest.fixture
def calls(monkeypatch) -> list[int]:
    """The number of images in each call of the network."""
    calls = []
    forward = QuadrantModel.forward
    monkeypatch.setattr(QuadrantModel, "forward", lambda self, x: calls.append(len(x)) or forward(self, x))
    return calls


def test_one_batch_keeps_the_order(predictor, calls):
    inputs = [quadrants(*np.roll([255, 0, 0, 0], digit)) for digit in (2, 0, 3, 1, 0)]
    answers = predictor.predict_inputs(inputs)
    assert [answer.digit for answer in answers] == [2, 0, 3, 1, 0]
    assert calls == [5]


def make_candidates(*candidates: tuple[np.ndarray, dict[str, object]]) -> list[Candidate]:
    """Candidates of one image."""
    box = (0, 0, 28, 28)
    return [Candidate(pixels, Ink(pixels, box, (40, 50, 60, 70), **known)) for pixels, known in candidates]


def test_the_most_certain_candidate_gives_the_answer(predictor, calls):
    unsure, sure = quadrants(60, 50, 0, 0), quadrants(0, 255, 0, 0)
    answers = predictor.predict_candidates(
        [
            make_candidates((unsure, {}), (sure, {"relative_box": (0.1, 0.2, 0.3, 0.4)})),
            [],
            make_candidates((unsure, {"score": 9.0})),
        ]
    )
    assert [answer.digit for answer in answers] == [1, 0, 0]
    assert calls == [4]
    assert base64.b64decode(answers[0].input) == sure.tobytes()
    assert [answer.box for answer in answers] == [(0.1, 0.2, 0.3, 0.4), None, None]
    assert "reason" not in answers[0].as_dict()
    assert answers[1].reason == "blank"


def test_the_score_of_the_ink_weighs_in_the_choice(predictor):
    likely, unlikely = (quadrants(200, 0, 0, 0), {"score": 9.0}), (quadrants(0, 210, 0, 0), {"score": 0.1})
    assert predictor.predict_candidates([make_candidates(likely, unlikely)])[0].digit == 0


def test_a_rival_with_another_digit_makes_the_answer_less_sure(predictor):
    zero, one = quadrants(255, 0, 0, 0), quadrants(0, 255, 0, 0)
    alone, same, equal, weak = predictor.predict_candidates(
        [
            make_candidates((zero, {})),
            make_candidates((zero, {}), (zero, {})),
            make_candidates((zero, {}), (one, {})),
            make_candidates((zero, {}), (one, {"score": 0.01})),
        ]
    )
    assert [answer.digit for answer in (alone, same, equal, weak)] == [0, 0, 0, 0]
    assert same == alone
    assert equal.confidence == pytest.approx(equal.probabilities[1]) == pytest.approx(0.5, abs=0.01)
    assert equal.confidence < weak.confidence < alone.confidence
    assert sum(weak.probabilities) == pytest.approx(1)
    assert (equal.digit_score, equal.is_digit) == (alone.digit_score, True)


def test_the_shown_candidate_is_of_the_digit_that_the_mixed_probabilities_name(predictor):
    unsure, sure = quadrants(100, 98, 0, 0), quadrants(0, 255, 0, 0)
    likely = (unsure, {"score": 16.0, "relative_box": (0.1, 0.1, 0.2, 0.2)})
    rival = (sure, {"relative_box": (0.5, 0.5, 0.9, 0.9)})
    alone, mixed = predictor.predict_candidates([make_candidates(likely), make_candidates(likely, rival)])
    assert (alone.digit, mixed.digit) == (0, 1)
    assert mixed.box == (0.5, 0.5, 0.9, 0.9)
    assert base64.b64decode(mixed.input) == sure.tobytes()
    assert mixed.confidence == max(mixed.probabilities) < 1


def test_another_digit_beside_the_first_is_the_reason(predictor):
    answer = predictor.predict_candidates([make_candidates((quadrants(255, 0, 0, 0), {"several": True}))])[0]
    assert answer.confidence > 0.9
    assert (answer.is_digit, answer.reason) == (False, "several_digits")


@pytest.mark.parametrize(("ink", "reason"), [(255, None), (20, "too_small")])
def test_tiny_ink_is_too_small_unless_it_is_a_digit(predictor, ink, reason):
    answer = predictor.predict_candidates([make_candidates((quadrants(ink, 20, 0, 0), {"tiny": True}))])[0]
    assert answer.reason == reason


def test_no_images_give_no_answers(predictor):
    assert predictor.predict([]) == []


def test_a_blank_is_no_digit_and_all_digits_are_equally_likely(predictor):
    answer = predictor.predict([BLANK])[0]
    assert answer.is_digit is False
    assert answer.digit_score == 0
    assert answer.reason == "blank"
    assert answer.probabilities == [0.1] * 10
    assert answer.confidence == 0.1
    assert base64.b64decode(answer.input) == bytes(784)


def test_a_blank_does_not_change_its_neighbours(predictor):
    alone = predictor.predict([drawing(7)])[0]
    assert predictor.predict([BLANK, drawing(7), BLANK])[1] == alone


@pytest.mark.parametrize(("threshold", "is_digit"), [(0.0, True), (0.3, True), (0.9, False)])
def test_is_digit_compares_the_score_with_the_threshold(threshold, is_digit):
    predictor = Predictor(QuadrantModel(), temperature=1.0, digit_threshold=threshold, version="1")
    answer = predictor.predict_inputs([quadrants(20, 20, 0, 0)])[0]
    assert 0.3 < answer.digit_score == answer.confidence < 0.9
    assert answer.is_digit is is_digit


def test_a_blank_is_no_digit_at_a_threshold_of_zero():
    predictor = Predictor(QuadrantModel(), temperature=1.0, digit_threshold=0.0, version="1")
    assert predictor.predict([BLANK])[0].is_digit is False


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    content = {
        "state_dict": DigitClassifier().state_dict(),
        "temperature": 1.5,
        "digit_threshold": 0.25,
        "settings": {"epochs": 1},
    }
    torch.save(content, tmp_path / "model.pt")
    return tmp_path / "model.pt"


def test_a_checkpoint_is_loaded(checkpoint):
    predictor = Predictor.load(checkpoint, version="2.0")
    assert (predictor.temperature, predictor.digit_threshold, predictor.version) == (1.5, 0.25, "2.0")
    torch.manual_seed(0)
    trained, pictures = DigitClassifier().eval(), torch.rand(4, 1, 28, 28)
    # The order of a sum differs by memory format and processor; another network differs by 0.1 and more.
    assert torch.allclose(predictor.model(pictures), trained(pictures), atol=1e-4, rtol=0)
    assert not predictor.model.training
    assert predictor.predict([drawing()])[0].model_version == "2.0"


@pytest.mark.parametrize(("known", "below"), [({}, 0.0), ({"look_again_below": 0.9}, 0.9)])
def test_the_checkpoint_sets_the_limit_of_tta(checkpoint, known: dict[str, float], below: float):
    torch.save(torch.load(checkpoint, weights_only=True) | known, checkpoint)
    assert Predictor.load(checkpoint, version="1").tta_below == below


def test_an_uncertain_answer_uses_tta():
    once = Predictor(QuadrantModel(), 1.0, 0.5, "1")
    again = Predictor(QuadrantModel(), 1.0, 0.5, "1", tta_below=1.0)
    pixels = np.zeros((28, 28), np.uint8)
    pixels[10:14, 4:24] = 255  # half a pixel further down a little of it is in the lower half
    without, with_tta = (predictor.predict_inputs([pixels])[0].probabilities for predictor in (once, again))
    assert with_tta[2] > without[2]


@pytest.mark.parametrize("known", [{}, {"look_again_below": 0.5}, {"look_again_below": 1.0}])
def test_the_same_image_has_the_same_answer_in_any_batch(checkpoint, known):
    torch.save(torch.load(checkpoint, weights_only=True) | known, checkpoint)
    predictor = Predictor.load(checkpoint, version="1")
    alone = predictor.predict([drawing(7)])[0]
    batch = predictor.predict([drawing(2), drawing(7), BLANK, drawing(4)])[1]
    assert batch.digit == alone.digit
    # Another size of batch sums in another order; a neighbour's answer would differ by 0.01 and more.
    assert batch.probabilities == pytest.approx(alone.probabilities, abs=1e-4)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    torch.save({"state_dict": nn.Linear(1, 1)}, tmp_path / "model.pt")
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        Predictor.load(tmp_path / "model.pt", version="1")


def test_the_score_is_the_probability_of_a_digit():
    logits = np.zeros((2, 11), np.float32)
    logits[0, 10] = np.log(30)  # three times as likely as the ten digits together
    assert digit_scores(logits, 1.0) == pytest.approx([0.25, 10 / 11])


def test_the_lower_score_of_network_and_lda_counts():
    logits = np.zeros((2, 22), np.float32)
    logits[0, 10] = np.log(30)
    logits[1, 21] = np.log(90)
    assert digit_scores(logits, 1.0) == pytest.approx([0.25, 0.1])
    assert np.array_equal(digit_probabilities(logits, 1.0), digit_probabilities(logits[:, :10], 1.0))


def test_probabilities_ignore_the_logit_of_no_digit():
    logits = np.random.default_rng(0).normal(size=(3, 11)).astype(np.float32)
    assert np.array_equal(digit_probabilities(logits, 2.0), digit_probabilities(logits[:, :10], 2.0))
    assert digit_probabilities(logits, 2.0).sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-12)


def test_the_line_calibrates_the_log_odds_and_keeps_their_order():
    logits = np.random.default_rng(0).normal(0, 4, (50, 22)).astype(np.float32)
    plain, calibrated = digit_scores(logits, 2.0), digit_scores(logits, 2.0, (0.5, 1.0))
    np.testing.assert_allclose(np.log(plain / (1 - plain)), log_odds(logits, 2.0))
    np.testing.assert_allclose(np.log(calibrated / (1 - calibrated)), 0.5 * log_odds(logits, 2.0) + 1)
    assert np.array_equal(np.argsort(plain), np.argsort(calibrated))


def test_the_checkpoint_sets_the_line_except_for_a_blank(checkpoint):
    torch.save(torch.load(checkpoint, weights_only=True) | {"score_line": [0.0, 2.0]}, checkpoint)
    seven, blank = Predictor.load(checkpoint, version="1").predict([drawing(), BLANK])
    assert seven.digit_score == pytest.approx(1 / (1 + np.exp(-2)))
    assert blank.digit_score == 0
