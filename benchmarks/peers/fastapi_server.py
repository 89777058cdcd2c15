"""The rival of TorchServe: the same predictor behind FastAPI, as its makers would deploy it.

    uvicorn benchmarks.rival:app --loop uvloop --http httptools --no-access-log

It answers the same JSON to a posted image. It predicts in the event loop: a thread for each request, which `def` in
place of `async def` would give, costs more than it brings with a worker for each core.
"""

import json

import torch
from fastapi import FastAPI, Request, Response

from handler.bodies import read_submission
from handler.images import decoded
from handler.predictor import Predictor
from ops.versions import RELEASED
from training.archive import RELEASED_CHECKPOINT

torch.set_num_threads(1)  # as TorchServe's workers
predictor = Predictor.load(RELEASED_CHECKPOINT, version=RELEASED)
app = FastAPI()


@app.post("/predictions/mnist")
async def predict(request: Request) -> Response:
    """The same answer as the handler's, to the same bytes."""
    submission = read_submission({"body": await request.body()}, request.headers.get("content-type", ""))
    [prediction] = predictor.predict([decoded(image) for image in submission.images])
    return Response(
        json.dumps(prediction.as_dict(), separators=(",", ":")).encode("ascii"), media_type="application/json"
    )
