"""Run a real S3 server with its own key for tests."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from fixtures.waiting import eventually
from ops.s3_server import SERVER, identities
from tests.system.running import first_port

ACCESS_KEY, SECRET_KEY = "the-key", "of the store, with a blank"


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Run a server with its data in this folder, and yield its address."""
    (folder / "identities.json").write_text(identities(ACCESS_KEY, SECRET_KEY))
    # By default each of its parts also uses the port 10,000 above.
    first = first_port(8)
    master, volume, filer, s3, *grpc = range(first, first + 8)
    command = [
        str(Path(sys.executable).with_name(SERVER[0])), *SERVER[1:],
        f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.config={folder / 'identities.json'}",
        f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}",
        f"-master.port.grpc={grpc[0]}", f"-volume.port.grpc={grpc[1]}",
        f"-filer.port.grpc={grpc[2]}", f"-s3.port.grpc={grpc[3]}",
    ]  # fmt: skip
    address = f"http://127.0.0.1:{s3}"
    with (
        (folder / "weed.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as process,
    ):
        try:
            eventually(lambda: _answers(address), timeout_s=60)
            yield address
        finally:
            process.kill()  # SIGTERM takes more than a minute
            # Its sockets have fixed names that end with the ports.
            for socket in Path("/tmp").glob("seaweedfs-*.sock"):  # noqa: S108
                if socket.stem.rpartition("-")[2] in map(str, range(first, first + 8)):
                    socket.unlink()


def bucket_settings(address: str) -> dict[str, str]:
    """The settings of a new bucket on the server at this address."""
    keys = {"S3_ACCESS_KEY": ACCESS_KEY, "S3_SECRET_KEY": SECRET_KEY}
    return {"S3_ENDPOINT": address, "S3_BUCKET": f"of-a-test-{uuid.uuid4()}", **keys}


def _client(address: str) -> Any:
    return boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
    )  # fmt: skip


def _answers(address: str) -> bool:
    client = _client(address)
    try:
        client.create_bucket(Bucket="probe")
        client.put_object(Bucket="probe", Key="probe", Body=b"probe")
    except (BotoCoreError, ClientError):
        return False
    finally:
        client.close()
    return True
