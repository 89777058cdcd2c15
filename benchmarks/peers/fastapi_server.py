"""The predictor behind FastAPI.

    uvicorn benchmarks.peers.fastapi_server:app --loop uvloop --http httptools --no-access-log

It predicts in the event loop. `def` instead of `async def` would use a thread per request, which costs more than it
saves with one worker per core.
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
