"""A client in a separate container: python - WHAT SECONDS < client.py; prints its responses as JSON.

honest   ten requests a second, one after the other
flood    two hundred a second, ten times the limit
slow     a hundred connections that send a byte of a body a second
"""

import json
import socket
import ssl
import sys
import threading
import time
from collections import Counter

import requests
import urllib3

GATEWAY = "gateway"
PORT = 8443
# A seven, 28x28, from the gateway's health check.
BODY = {
    "image": "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAAdklEQVR42mNgGGSAEYmtAkMMU1DUqPz5jww8UCQ9EBJ//vz/AxVl"
    "gVA7VBkYGO5A2H/QTEUGOf//qOCU/PN/Cx6N/3FrvPH/Bk45D3R/IIMtcH9gApX//3PI0sjw5/8EnHIT8GskMwD+4AkAFXwBwODh"
    "MfBJEwB3a0XslBkUyQAAAABJRU5ErkJggg=="
}
FLOODING = 8


def paced(per_second: float, seconds: float) -> tuple[Counter[str], list[float]]:
    """Send requests at a constant rate on one connection; returns statuses and latencies in ms."""
    statuses, latencies = Counter(), []
    with requests.Session() as session:
        session.post(f"https://{GATEWAY}:{PORT}/predict", json=BODY, timeout=30, verify=False)
        begin = time.monotonic()
        for number in range(int(per_second * seconds)):
            time.sleep(max(0.0, begin + number / per_second - time.monotonic()))
            started = time.perf_counter()
            answer = session.post(f"https://{GATEWAY}:{PORT}/predict", json=BODY, timeout=30, verify=False)
            latencies.append((time.perf_counter() - started) * 1000)
            statuses[str(answer.status_code)] += 1
            if time.monotonic() > begin + seconds:
                break
    return statuses, latencies


def honest(seconds: float) -> dict:
    statuses, latencies = paced(10, seconds)
    latencies.sort()
    return {
        "statuses": statuses,
        "p50_ms": latencies[len(latencies) // 2],
        "p99_ms": latencies[int(len(latencies) * 0.99)],
    }


def flood(seconds: float) -> dict:
    together: Counter[str] = Counter()
    lock = threading.Lock()

    def one() -> None:
        statuses, _ = paced(200 / FLOODING, seconds)
        with lock:
            together.update(statuses)

    threads = [threading.Thread(target=one) for _ in range(FLOODING)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"statuses": together}


def slow(seconds: float) -> dict:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    head = f"POST /predict HTTP/1.1\r\nHost: {GATEWAY}\r\nContent-Length: 100000\r\n\r\n".encode()
    held = []
    for _ in range(100):
        connection = context.wrap_socket(socket.create_connection((GATEWAY, PORT)), server_hostname=GATEWAY)
        connection.sendall(head)
        held.append(connection)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for connection in held:
            connection.sendall(b"x")
        time.sleep(1)
    return {"held": len(held)}


if __name__ == "__main__":
    urllib3.disable_warnings()
    what, seconds = sys.argv[1:]
    print(json.dumps({"honest": honest, "flood": flood, "slow": slow}[what](float(seconds))))
