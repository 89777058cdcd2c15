"""The adapter between TorchServe and the predictor. No other file of the archive knows TorchServe.

TorchServe calls `initialize(context)` once for each worker and `handle(rows, context)` once for each batch. Each row of
a batch is a request and gets its own answer and status; a bad request never affects the others.
"""

import json
import logging
import time
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw

# TorchServe requires exactly one class that is defined in this file; imported classes do not count.
from handler.bodies import read_body
from handler.errors import ClientError
from handler.explanation import Explanation, explain
from handler.images import read_images
from handler.json_log import IDS, JsonLines
from handler.predictor import Prediction, Predictor
from handler.preprocessing import Candidate, candidates, preprocess
from handler.read_ahead import read_ahead
from handler.stage_times import StageTimes, open_stage_times
from handler.tracing import RecordSpan, open_tracing

Images = list[list[Candidate]]
Answer = dict[str, Any]
Headers = Mapping[str, Any]
Request = tuple[int, Images, bool]  # row, images, and whether it asked for a list of answers

logger = logging.getLogger(__name__)

# json.dumps would create an encoder for each answer.
_encode = json.JSONEncoder(separators=(",", ":")).encode

# Images in each warm-up batch, up to twice batchSize in model-config.yaml.
WARM_UP_BATCHES = (1, 2, 4, 8, 16)
# A batch that takes longer is logged.
SLOW_MS = 250


class DigitHandler:
    """The model of one worker, from the archive that the worker was started with."""

    predictor: Predictor
    stage_times: StageTimes
    record_span: RecordSpan | None

    def initialize(self, context: Any) -> None:
        """Load the model and warm it up. Then TorchServe reports the worker as ready."""
        read_ahead()
        # A worker sees all cores, and the thread pools of two workers would compete for them.
        torch.set_num_threads(1)
        folder = Path(context.system_properties["model_dir"])
        model = context.manifest["model"]
        version = model["modelVersion"]
        for output in logging.getLogger().handlers:
            output.setFormatter(JsonLines(version))
        self.predictor = Predictor.load(folder / model["serializedFile"], version)
        # At INFO a worker prints two lines for each batch. TorchServe parses and discards them, which takes a fifth of
        # its own time for a request. Metrics of a handler (ts.metrics) would need INFO.
        logging.getLogger().setLevel(logging.WARNING)
        self._warm_up()
        self.stage_times = open_stage_times(version)
        self.record_span = open_tracing(version)

    def _warm_up(self) -> None:
        """Predict once for each batch size: a first call takes 26 ms instead of 1.

        Explanations stay cold: most workers never explain, and captum takes 0.8 s of a core to import.
        """
        drawing = Image.new("L", (280, 280))
        ImageDraw.Draw(drawing).line([(80, 60), (200, 60), (120, 230)], fill=255, width=18)
        pixels = preprocess(drawing)
        for size in WARM_UP_BATCHES:
            self.predictor.predict_inputs([pixels] * size)

    def handle(self, rows: Sequence[Mapping[str, Any]], context: Any) -> list[bytes]:
        """One JSON answer for each row, as bytes: TorchServe would indent a dict."""
        started = time.perf_counter()
        headers = [context.get_all_request_header(index) for index in range(len(rows))]
        answers: dict[int, Answer] = {}
        to_predict: list[Request] = []
        to_explain: list[Request] = []
        preprocess_ms = []
        for index, row in enumerate(rows):
            before = time.perf_counter()
            try:
                with self.stage_times("preprocess"):
                    images, many = _prepare(row, headers[index])
            except Exception as error:  # affects this row alone
                answers[index] = _error_answer(error, headers[index])
            else:
                # TorchServe adds this header to every request, with "False" for a prediction.
                is_explanation = _header(headers[index], "explain").lower() == "true"
                (to_explain if is_explanation else to_predict).append((index, images, many))
            preprocess_ms.append((time.perf_counter() - before) * 1000)
        before = time.perf_counter()
        for requests, is_explanation in ((to_predict, False), (to_explain, True)):
            if requests:
                answers |= self._run(requests, headers, is_explanation=is_explanation)
        network_ms = (time.perf_counter() - before) * 1000
        elapsed_ms = (time.perf_counter() - started) * 1000
        for index, answer in answers.items():
            if elapsed_ms > SLOW_MS:
                extra = _ids(headers[index])
                logger.warning("slow: a batch of %d took %.0f ms", len(rows), elapsed_ms, extra=extra)
            if self.record_span:
                attributes = {
                    **_ids(headers[index]),
                    "status": answer.get("code", HTTPStatus.OK.value),
                    "batch": len(rows),
                    "preprocess_ms": preprocess_ms[index],
                    "network_ms": network_ms,
                }
                self.record_span(headers[index], time.time_ns() - int(elapsed_ms * 1e6), attributes)
        return [_response(answers[index], context, index) for index in range(len(rows))]

    def _run(
        self, requests: Sequence[Request], headers: Sequence[Headers], *, is_explanation: bool
    ) -> dict[int, Answer]:
        """The answers by row, from one call of the model for the images of all requests."""
        images = [image for _, images, _ in requests for image in images]
        results: Sequence[Explanation | Prediction] = []
        try:
            if is_explanation:
                results = explain(self.predictor, images)
            else:
                with self.stage_times("network"):
                    results = self.predictor.predict_candidates(images)
        except Exception as error:  # affects all of these requests
            return {index: _error_answer(error, headers[index]) for index, _, _ in requests}
        answers = (result.as_dict() for result in results)
        return {
            index: {"predictions": [next(answers) for _ in images]} if many else next(answers)
            for index, images, many in requests
        }


def _prepare(row: Mapping[str, Any], headers: Headers) -> tuple[Images, bool]:
    """The candidates of each image of a request, and whether it asked for a list. Raises ClientError."""
    # The gateway declares every body as bytes and passes the client's media type on in the header X-Content-Type.
    body = read_body(row, _header(headers, "x-content-type") or _header(headers, "content-type"))
    # Of 64 images only one is decoded in memory at a time.
    return [candidates(image) for image in read_images(body.payloads)], body.many


def _header(headers: Headers, name: str) -> str:
    """A header by its name in lower case, or "": TorchServe keeps the client's spelling."""
    for key, value in headers.items():
        if key.lower() == name and isinstance(value, str):
            return value
    return ""


def _ids(headers: Headers) -> dict[str, str]:
    """The gateway's ids of the request and of its drawing, for the log."""
    found = {name: _header(headers, f"x-{name.replace('_', '-')}") for name in IDS}
    return {name: value for name, value in found.items() if value}


def _error_answer(error: Exception, headers: Headers) -> Answer:
    if isinstance(error, ClientError):
        return error.as_dict()
    # The message of the error is left out, because it can quote the client's data.
    where = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s while answering a request:\n%s", type(error).__name__, where, extra=_ids(headers))
    return {
        "code": 500,
        "type": "InternalError",
        "message": "The model failed on this request; see its log. The same request may work later.",
    }


def _response(answer: Answer, context: Any, index: int) -> bytes:
    status = HTTPStatus(answer.get("code", HTTPStatus.OK))
    context.set_response_status(code=status.value, phrase=status.phrase, idx=index)
    context.set_response_content_type(index, "application/json")
    return _encode(answer).encode("ascii")
