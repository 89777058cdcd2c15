"""Start the S3 server's container: write the key for SeaweedFS, then replace this process by it.

S3_ACCESS_KEY is the access key, S3_SECRET_KEY_FILE the file of the secret key. The image has no other file of the
checkout, so this module imports none.
"""

import json
import os
from pathlib import Path

IDENTITIES = Path("/tmp/identities.json")  # noqa: S108  the container's tmpfs
PORT = 8333


def exec_server() -> None:
    """Replace this process by SeaweedFS."""
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
        # Only S3 listens outside loopback; it requires the key.
        "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.ip.bind=0.0.0.0", f"-s3.port={PORT}",
        "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=500",
        "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={IDENTITIES}",
    ]  # fmt: skip
    os.execvp(command[0], command)


if __name__ == "__main__":
    exec_server()
