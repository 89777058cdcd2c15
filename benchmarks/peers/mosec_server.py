"""The predictor behind mosec: python -m benchmarks.peers.mosec_server --port PORT

mosec's web server is written in Rust. A batch waits 1 ms for more requests, the least possible time (0 means the
default, 10 ms).
"""

from mosec import Server, Worker

from benchmarks.peers import PATH, WORKERS
from benchmarks.peers.answers import answer, load_predictor


class Digits(Worker):
    resp_mime_type = "application/json"

    def __init__(self) -> None:
        self.predictor = load_predictor()

    def deserialize(self, data: bytes) -> bytes:
        return data

    def serialize(self, data: bytes) -> bytes:
        return data

    def forward(self, data: list[bytes]) -> list[bytes]:
        return answer(self.predictor, data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(Digits, num=WORKERS, max_batch_size=8, max_wait_time=1, route=PATH)
    server.run()
