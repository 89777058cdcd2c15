"""The predictor behind BentoML.

    bentoml serve benchmarks.peers.bentoml_service:Digits --port PORT

A posted image arrives as a file. Adaptive batching needs a list in each request, or a second service and HTTP between
them. So this service does not batch, and it predicts in the event loop like FastAPI.
"""

from pathlib import Path
from typing import Annotated, Any

import bentoml
from bentoml.validators import ContentType
from starlette.responses import Response

from benchmarks.peers import PATH, WORKERS
from benchmarks.peers.answers import answer, load_predictor


@bentoml.service(
    workers=WORKERS,
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
    tracing={"sample_rate": 0.0},
)
class Digits:
    def __init__(self) -> None:
        self.predictor = load_predictor()

    @bentoml.api(route=PATH)
    async def predict(self, image: Annotated[Path, ContentType("image/png")], /) -> Any:
        [body] = answer(self.predictor, [image.read_bytes()])
        return Response(body, media_type="application/json")
