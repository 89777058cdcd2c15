"""The predictor behind FastAPI.

    uvicorn benchmarks.peers.fastapi_server:app --loop uvloop --http httptools --no-access-log

It predicts in the event loop: a thread for each request, which `def` in place of `async def` would give, costs more
than it brings with a worker for each core.
"""

from fastapi import FastAPI, Request, Response

from benchmarks.peers import PATH
from benchmarks.peers.answers import answer, load_predictor

predictor = load_predictor()
app = FastAPI()


@app.post(PATH)
async def predict(request: Request) -> Response:
    [body] = answer(predictor, [await request.body()])
    return Response(body, media_type="application/json")
