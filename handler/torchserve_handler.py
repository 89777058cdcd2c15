"""The adapter between TorchServe and the predictor: the only file of the archive that knows TorchServe.

TorchServe calls `initialize(context)` once a worker and `handle(rows, context)` once a batch. Every
row of a batch gets an answer and a status of its own; a bad one never touches its neighbours.
"""

import json
import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw

# TorchServe wants exactly one class defined in this file; what is imported does not count.
from handler.bodies import read_submission
from handler.errors import ClientError
from handler.explanation import explain_candidates
from handler.images import decoded
from handler.json_log import IDS, JsonLines
from handler.predictor import Predictor
from handler.preprocessing import Candidate, candidates, preprocess
from handler.read_ahead import read_ahead
from handler.stage_times import StageTimes, open_stage_times
from handler.tracing import RecordSpan, open_tracing

Inputs = list[list[Candidate]]
Answer = dict[str, Any]
Prepared = tuple[int, Inputs, bool]

logger = logging.getLogger(__name__)

# More than batchSize in model-config.yaml: the shapes of real batches were all seen once.
WARM_UP_BATCHES = (1, 2, 4, 8, 16)
# A batch that takes longer is logged.
SLOW_MS = 250


class DigitHandler:
    """One worker's model, from the archive it was started with."""

    predictor: Predictor
    stage_times: StageTimes
    record_span: RecordSpan | None

    def initialize(self, context: Any) -> None:
        """Loads and warms up; TorchServe reports the worker ready when this returns."""
        read_ahead()
        # A worker sees every core, and two workers with a pool each would fight for them.
        torch.set_num_threads(1)
        folder = Path(context.system_properties["model_dir"])
        model = context.manifest["model"]
        for output in logging.getLogger().handlers:
            output.setFormatter(JsonLines(model["modelVersion"]))
        self.predictor = Predictor.load(folder / model["serializedFile"], version=model["modelVersion"])
        # A worker prints two lines for each batch, which TorchServe reads, parses and throws away: a fifth of what a
        # request costs TorchServe itself. Whoever wants a metric of the handler's own turns on ts.metrics again.
        logging.getLogger().setLevel(logging.WARNING)
        self._warm_up()
        self.stage_times = open_stage_times(model["modelVersion"])
        self.record_span = open_tracing(model["modelVersion"])

    def _warm_up(self) -> None:
        """Predict once for each batch size: the first call takes 26 ms instead of 1, and nobody should wait for it.

        Explanations stay cold: most workers are never asked for one, and captum costs each 0.8 s of a core to import.
        """
        drawing = Image.new("L", (280, 280))
        ImageDraw.Draw(drawing).line([(80, 60), (200, 60), (120, 230)], fill=255, width=18)
        inputs = preprocess(drawing)
        for size in WARM_UP_BATCHES:
            self.predictor.predict_inputs([inputs] * size)

    def handle(self, rows: Sequence[Mapping[str, Any]], context: Any) -> list[bytes]:
        """One JSON answer a row, as bytes: TorchServe would indent a dict."""
        started = time.perf_counter()
        answers: dict[int, Answer] = {}
        to_predict: list[Prepared] = []
        to_explain: list[Prepared] = []
        preprocess_ms = []
        for index, row in enumerate(rows):
            headers = context.get_all_request_header(index)
            before = time.perf_counter()
            try:
                with self.stage_times("preprocess"):
                    inputs, many = _prepared(row, headers)
            except Exception as error:  # this row's alone, whatever it is
                answers[index] = _error_answer(error, _ids(headers))
            else:
                # TorchServe puts this header into every request, with "False" for a prediction.
                explain = _header(headers, "explain").lower() == "true"
                (to_explain if explain else to_predict).append((index, inputs, many))
            preprocess_ms.append((time.perf_counter() - before) * 1000)
        before = time.perf_counter()
        for model, requests in ((self._predict, to_predict), (self._explain, to_explain)):
            if requests:
                answers |= _answered(model, requests, context)
        network_ms = (time.perf_counter() - before) * 1000
        elapsed_ms = (time.perf_counter() - started) * 1000
        if elapsed_ms > SLOW_MS or self.record_span:
            self._report(answers, context, elapsed_ms, preprocess_ms, network_ms)
        return [_response(answers[index], context, index) for index in range(len(rows))]

    def _report(
        self,
        answers: Mapping[int, Answer],
        context: Any,
        elapsed_ms: float,
        preprocess_ms: Sequence[float],
        network_ms: float,
    ) -> None:
        """Log each request of a slow batch, and record a span for each of any batch."""
        started_ns = time.time_ns() - int(elapsed_ms * 1e6)
        for index, answer in answers.items():
            headers = context.get_all_request_header(index)
            ids = _ids(headers)
            if elapsed_ms > SLOW_MS:
                logger.warning("slow: a batch of %d took %.0f ms", len(answers), elapsed_ms, extra=ids)
            if self.record_span:
                status = answer.get("code", HTTPStatus.OK.value)
                times = {"preprocess_ms": preprocess_ms[index], "network_ms": network_ms}
                self.record_span(
                    headers, started_ns, {**ids, "status": status, "batch": len(answers), **times}
                )

    def _predict(self, inputs: Inputs) -> list[Answer]:
        with self.stage_times("network"):
            predictions = self.predictor.predict_candidates(inputs)
        return [prediction.as_dict() for prediction in predictions]

    def _explain(self, inputs: Inputs) -> list[Answer]:
        return [explanation.as_dict() for explanation in explain_candidates(self.predictor, inputs)]


def _prepared(row: Mapping[str, Any], headers: Mapping[str, Any]) -> tuple[Inputs, bool]:
    """What the model shall see of a request, and whether it asked for many. Raises ClientError."""
    # The gateway gives TorchServe a media type that it does not act on, and the client's own in this header.
    declared = _header(headers, "x-content-type") or _header(headers, "content-type")
    submission = read_submission(row, declared)
    # One after the other: of 64 decoded images only one is in memory at a time.
    return [candidates(decoded(image)) for image in submission.images], submission.many


def _header(headers: Mapping[str, Any], name: str) -> str:
    """A header by its name in lower case, "" if it is not there: TorchServe keeps the client's spelling."""
    for key, value in headers.items():
        if key.lower() == name and isinstance(value, str):
            return value
    return ""


def _ids(headers: Mapping[str, Any]) -> dict[str, str]:
    """What the gateway calls a request and its drawing, for the log."""
    found = {name: _header(headers, f"x-{name.replace('_', '-')}") for name in IDS}
    return {name: value for name, value in found.items() if value}


def _answered(
    model: Callable[[Inputs], list[Answer]], requests: Sequence[Prepared], context: Any
) -> dict[int, Answer]:
    """The answers by row: all images of these requests in one call, each request given its part."""
    try:
        answers = iter(model([pixels for _, inputs, _ in requests for pixels in inputs]))
    except Exception as error:  # the model failed, and for all of them
        return {
            index: _error_answer(error, _ids(context.get_all_request_header(index)))
            for index, _, _ in requests
        }
    return {
        index: {"predictions": [next(answers) for _ in inputs]} if many else next(answers)
        for index, inputs, many in requests
    }


def _error_answer(error: Exception, ids: Mapping[str, str]) -> Answer:
    if isinstance(error, ClientError):
        return error.as_dict()
    # Where it happened, but not its message: that may quote what the client sent.
    where = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s while answering a request:\n%s", type(error).__name__, where, extra=ids)
    return {
        "code": 500,
        "type": "InternalError",
        "message": "The model failed on this request; see its log. The same request may work later.",
    }


def _response(answer: Answer, context: Any, index: int) -> bytes:
    status = HTTPStatus(answer.get("code", HTTPStatus.OK))
    context.set_response_status(code=status.value, phrase=status.phrase, idx=index)
    context.set_response_content_type(index, "application/json")
    return json.dumps(answer, separators=(",", ":")).encode("ascii")
