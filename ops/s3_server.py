"""The S3 server's container: hands the key to SeaweedFS in a file of its own, then becomes it.

S3_ACCESS_KEY names the key, S3_SECRET_KEY_FILE holds it. Imports nothing of the checkout: its image has nothing of it.
"""

import json
import os
from pathlib import Path

IDENTITIES = Path("/tmp/identities.json")  # noqa: S108  a tmpfs of the container's own
PORT = 8333


def exec_server() -> None:
    """Never returns."""
    key = Path(os.environ["S3_SECRET_KEY_FILE"]).read_text(encoding="ascii").strip()
    identity = {
        "name": "models",
        "credentials": [{"accessKey": os.environ["S3_ACCESS_KEY"], "secretKey": key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    IDENTITIES.touch(mode=0o600)
    IDENTITIES.write_text(json.dumps({"identities": [identity]}), encoding="ascii")
    command = [
        "weed", "server", "-s3", "-filer", "-dir=/objects",
        # All of it on loopback but S3, which asks for the key.
        "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.ip.bind=0.0.0.0", f"-s3.port={PORT}",
        "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=500",
        "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={IDENTITIES}",
    ]  # fmt: skip
    os.execvp(command[0], command)


if __name__ == "__main__":
    exec_server()
