"""Certificates from files: renewal with open connections, and rejection of a broken certificate."""

import hashlib
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
import requests

from fixtures.waiting import eventually
from tests.containers.deployment import Deployment


def _shown(deployment: Deployment) -> str:
    """The fingerprint of the certificate of a new connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = ("localhost", int(deployment.environment["HTTPS_PORT"]))
    with (
        socket.create_connection(address, timeout=10) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as secured,
    ):
        return hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()


def _certificate(folder: Path) -> str:
    """Write a new pair of files with certbot's names; returns the fingerprint."""
    folder.mkdir(exist_ok=True)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    text = (folder / "fullchain.pem").read_text()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest()


def _install(deployment: Deployment, folder: Path, *names: str) -> None:
    """Copy like certbot's deploy hook in docs/operations.md."""
    subprocess.run(
        ["install", "-m", "0444", *(folder / name for name in names), deployment.folder / "var/secrets/tls/"],
        check=True,
    )


@pytest.fixture
def self_signed(deployment: Deployment):
    shown = _shown(deployment)
    yield shown
    for path in (deployment.folder / "var/secrets/tls").iterdir():
        path.unlink()
    eventually(lambda: _shown(deployment) == shown)


def test_a_certificate_is_loaded_and_renewed_without_a_restart(
    deployment: Deployment, self_signed: str, tmp_path
):
    started = deployment.inspect("gateway")["State"]["StartedAt"]
    first, second = _certificate(tmp_path / "first"), _certificate(tmp_path / "second")
    assert len({self_signed, first, second}) == 3
    _install(deployment, tmp_path / "first", "fullchain.pem", "privkey.pem")
    eventually(lambda: _shown(deployment) == first)
    with requests.Session() as session:
        trusted = tmp_path / "first" / "fullchain.pem"
        # For a moment, the old workers also accept connections.
        eventually(lambda: session.get(f"{deployment.address}/ping", timeout=10, verify=trusted).ok)
        _install(deployment, tmp_path / "second", "fullchain.pem", "privkey.pem")
        eventually(lambda: _shown(deployment) == second)
    # A pair that does not match is rejected, and the previous certificate stays.
    _install(deployment, tmp_path / "first", "fullchain.pem")
    eventually(lambda: "the previous configuration stays active" in deployment.compose("logs", "gateway"))
    assert _shown(deployment) == second
    _install(deployment, tmp_path / "first", "privkey.pem")
    eventually(lambda: _shown(deployment) == first)
    assert deployment.inspect("gateway")["State"]["StartedAt"] == started


def test_certbots_challenge_is_answered_over_plain_http(deployment: Deployment):
    folder = deployment.folder / "var/acme/.well-known/acme-challenge"
    folder.mkdir(parents=True)
    (folder / "a-token").write_text("a-token.and-a-key")
    answer = requests.get(f"{deployment.plain_address}/.well-known/acme-challenge/a-token", timeout=10)
    assert (answer.status_code, answer.text) == (200, "a-token.and-a-key")
