"""The predictor behind LitServe: python -m benchmarks.peers.litserve_server PORT

`fast_queue` transports requests by ZeroMQ, as its documentation advises for high throughput. One server process accepts
the requests for both workers. A batch contains the requests that already wait (`batch_timeout=0`).
"""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import litserve
from fastapi import Body, Response

from benchmarks.peers import PATH, WORKERS
from benchmarks.peers.answers import answer, load_predictor


class Digits(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.predictor = load_predictor()

    def decode_request(self, request: Annotated[bytes, Body()]) -> bytes:
        return request

    def batch(self, inputs: Sequence[bytes]) -> Sequence[bytes]:
        return inputs

    def predict(self, bodies: Sequence[bytes]) -> list[bytes]:
        return answer(self.predictor, bodies)

    def unbatch(self, output: list[bytes]) -> list[bytes]:
        return output

    def encode_response(self, output: bytes) -> Any:
        return Response(output, media_type="application/json")


if __name__ == "__main__":
    litserve.LitServer(
        Digits(max_batch_size=8, batch_timeout=0.0, api_path=PATH),
        accelerator="cpu",
        devices=1,
        workers_per_device=WORKERS,
        fast_queue=True,
    ).run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
    )
