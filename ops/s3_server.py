"""Start the S3 server's container: write the key for SeaweedFS, then replace this process by it.

S3_ACCESS_KEY is the access key, S3_SECRET_KEY_FILE the file of the secret key. The image has no other file of the
checkout, so this module imports none.
"""

import json
import os
from pathlib import Path

IDENTITIES = Path("/tmp/identities.json")  # noqa: S108  the container's tmpfs
PORT = 8333
SERVER = (
    *("weed", "server", "-s3", "-filer", "-master.telemetry=false"),
    *("-master.volumeSizeLimitMB=64", "-volume.max=500", "-s3.port.iceberg=0", "-s3.port.lance=0"),
)


def identities(access_key: str, secret_key: str) -> str:
    """SeaweedFS' configuration of the only user, as JSON."""
    credentials = [{"accessKey": access_key, "secretKey": secret_key}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return json.dumps({"identities": [{"name": "models", "credentials": credentials, "actions": actions}]})


def exec_server() -> None:
    """Replace this process by SeaweedFS."""
    key = Path(os.environ["S3_SECRET_KEY_FILE"]).read_text(encoding="ascii").strip()
    IDENTITIES.touch(mode=0o600)
    IDENTITIES.write_text(identities(os.environ["S3_ACCESS_KEY"], key), encoding="ascii")
    # Only S3 listens outside loopback; it requires the key.
    addresses = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.ip.bind=0.0.0.0", f"-s3.port={PORT}"]
    command = [*SERVER, "-dir=/objects", *addresses, f"-s3.config={IDENTITIES}"]
    os.execvp(command[0], command)


if __name__ == "__main__":
    exec_server()
