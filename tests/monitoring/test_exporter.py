"""The exporter alone: its counters, its restarts, and its metrics without other parts."""

import json
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from fixtures.waiting import eventually
from ops.system import ROOT
from ops.versions.state import Versions
from tests.gateway import running as gateway
from tests.gateway import upstreams
from tests.gateway.upstreams import free_port

pytestmark = pytest.mark.service
SAMPLE = re.compile(r"^(\w+(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)
REQUEST = {
    "listener": "public",
    "route": "predict",
    "status": "200",
    "version": "1.3",
    "seconds": "0.004",
    "upstream_seconds": "0.003",
}
COUNTED = 'mnist_requests_total{listener="public",model_version="1.3",route="predict",status="200"}'


class Exporter:
    """A running exporter without any other part."""

    def __init__(self, folder: Path, port: int, process: "subprocess.Popen[bytes]") -> None:
        self.folder, self.port, self.process = folder, port, process

    def metrics(self) -> dict[str, float]:
        text = requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=30).text
        return {name: float(value) for name, value in SAMPLE.findall(text)}

    def send(self, datagram: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(datagram, ("127.0.0.1", self.port))

    def log(self, **differences: str) -> None:
        """Send an access-log line like nginx."""
        self.send(b"<190>Nov 29 12:00:00 gateway: " + "\t".join((REQUEST | differences).values()).encode())

    def log_and_expect(self, count: int) -> None:
        """Send one more request and wait until `count` requests are counted."""
        self.log()
        eventually(lambda: self.metrics().get(COUNTED) == count)


@contextmanager
def start_exporter(folder: Path, **changes: object) -> Iterator[Exporter]:
    port = free_port()
    options = {
        "listen": f"127.0.0.1:{port}",
        "files": folder / "metrics",
        "gateway": f"http://127.0.0.1:{free_port()}",
        "page": f"unix:{folder / 'no.sock'}",
        "torchserve": f"http://127.0.0.1:{free_port()}",
        "outbox": folder / "outbox.sqlite3",
        "state": folder,
        "served": folder / "served.json",
        "backups": folder,
        **changes,
    }
    command = [
        ROOT / ".venv/monitoring/bin/python",
        "-m",
        "monitoring.exporter",
        *(f"--{k}={v}" for k, v in options.items() if v is not None),
    ]
    environment = {
        "DATABASE_URL": f"postgresql://page@127.0.0.1:{free_port()}/mnist",
        "DATABASE_PASSWORD": "secret",
    }
    with (
        (folder / "exporter.log").open("ab") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log) as process,
    ):
        try:
            exporter = Exporter(folder, port, process)
            eventually(exporter.metrics)
            yield exporter
        finally:
            process.kill()  # a kill: the exporter writes nothing at its end


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Exporter]]:
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(start_exporter(tmp_path, **changes))


def test_a_request_is_counted_with_its_times(start):
    exporter = start()
    exporter.log_and_expect(1)
    found = exporter.metrics()
    of_version = 'listener="public",model_version="1.3",route="predict"'
    assert found[f"mnist_request_duration_seconds_sum{{{of_version}}}"] == pytest.approx(0.004)
    assert found[f'mnist_request_duration_seconds_bucket{{le="0.0025",{of_version}}}'] == 0
    assert found[f'mnist_request_duration_seconds_bucket{{le="0.005",{of_version}}}'] == 1
    assert found[
        'mnist_upstream_duration_seconds_sum{route="predict",upstream="torchserve"}'
    ] == pytest.approx(0.003)


def test_the_times_of_several_upstream_servers_are_added(start):
    exporter = start()
    exporter.log(upstream_seconds="0.001, 0.002 : 0.004")
    name = 'mnist_upstream_duration_seconds_sum{route="predict",upstream="torchserve"}'
    assert eventually(lambda: exporter.metrics().get(name)) == pytest.approx(0.007)


def test_a_request_without_an_upstream_server_has_no_upstream_time(start):
    exporter = start()
    exporter.log(status="429", upstream_seconds="-")
    exporter.log(route="nowhere")
    exporter.log_and_expect(1)
    found = exporter.metrics()
    assert found['mnist_upstream_duration_seconds_count{route="predict",upstream="torchserve"}'] == 1
    assert not any("nowhere" in name for name in found)


def test_a_websocket_is_counted_without_its_duration(start):
    exporter = start()
    exporter.log(route="page", status="101", version="", seconds="3600", upstream_seconds="3600")
    name = 'mnist_requests_total{listener="public",model_version="",route="page",status="101"}'
    eventually(lambda: exporter.metrics().get(name) == 1)
    assert not any("duration" in name and value for name, value in exporter.metrics().items())


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x00\xff",
        b"gateway: ",
        b"gateway: a\tb\t200\t1\tlong\t0.1",
        b"gateway: " + b"\t" * 50,
        b"x" * 5000,
    ],
)
def test_an_invalid_datagram_is_ignored(start, datagram):
    exporter = start()
    exporter.send(datagram)
    exporter.log_and_expect(1)


def test_counters_survive_a_kill(tmp_path):
    with start_exporter(tmp_path) as exporter:
        exporter.log_and_expect(1)
    with start_exporter(tmp_path) as exporter:
        assert exporter.metrics()[COUNTED] == 1
        exporter.log_and_expect(2)


def test_a_damaged_file_loses_only_its_counters(tmp_path):
    with start_exporter(tmp_path) as exporter:
        exporter.log_and_expect(1)
    path = tmp_path / "metrics" / "counter_exporter.db"
    path.write_bytes(b"\xff" * 4096)
    with start_exporter(tmp_path) as exporter:
        assert COUNTED not in exporter.metrics()
        exporter.log_and_expect(1)
    assert "counter_exporter.db is damaged" in (tmp_path / "exporter.log").read_text()


def test_an_empty_file_of_a_new_worker_is_kept(tmp_path):
    (tmp_path / "metrics").mkdir()
    empty = tmp_path / "metrics" / "histogram_worker1.db"
    empty.touch()
    with start_exporter(tmp_path) as exporter:
        exporter.log_and_expect(1)
    assert empty.exists()


def test_a_slow_client_does_not_raise_the_upstream_time(start):
    exporter = start()
    exporter.log(seconds="9.0", upstream_seconds="0.003")
    name = 'mnist_upstream_duration_seconds_bucket{le="0.1",route="predict",upstream="torchserve"}'
    eventually(lambda: exporter.metrics().get(name) == 1)


def test_without_other_parts_the_exporter_reports_them_as_down(start):
    exporter = start()
    found = exporter.metrics()
    for part in ("gateway", "page", "postgres"):
        assert found[f'mnist_part_up{{part="{part}"}}'] == 0
    # Without the gateway, the state of the model is unknown.
    assert 'mnist_part_up{part="torchserve"}' not in found
    assert found["mnist_outbox_rows"] == 0
    assert found["mnist_disk_free_bytes"] > 0
    assert found['mnist_exporter_failed{subject="torchserve"}'] == 1
    assert found['mnist_exporter_failed{subject="machine"}'] == 0
    assert "secret" not in (exporter.folder / "exporter.log").read_text()


def test_an_exporter_beside_the_outbox_reads_nothing_else(start):
    elsewhere = dict.fromkeys(("gateway", "page", "torchserve", "state", "served", "backups"))
    found = start(subjects="outbox", **elsewhere).metrics()
    assert found["mnist_outbox_rows"] == 0
    failed = {name: value for name, value in found.items() if name.startswith("mnist_exporter_failed")}
    assert failed == {'mnist_exporter_failed{subject="outbox"}': 0}


def test_it_ends_at_the_signal_of_kubernetes(start):
    process = start().process
    process.terminate()
    assert process.wait(10) == 0


def test_an_unknown_subject_is_refused(tmp_path):
    command = [ROOT / ".venv/monitoring/bin/python", "-m", "monitoring.exporter", "--subjects", "outbx"]
    options = [f"--listen=127.0.0.1:{free_port()}", f"--files={tmp_path}"]
    refused = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "SUBJECT 'outbx' is not one of parts, torchserve, outbox," in refused.stderr


def test_other_paths_are_not_found(start):
    assert requests.get(f"http://127.0.0.1:{start().port}/", timeout=30).status_code == 404


def test_versions_and_their_changes_are_exported(start, tmp_path):
    state = {"default": "1.3", "previous": "1.2", "split": {"1.4": 0.25}, "candidate": None}
    (tmp_path / "served.json").write_text(json.dumps(state))
    lines = [json.dumps({"kind": kind}) for kind in ("swap", "canary", "swap")]
    (tmp_path / "version_changes.jsonl").write_text("\n".join(lines) + "\n")
    found = start().metrics()
    assert found['mnist_model_version_share{model_version="1.3"}'] == 0.75
    assert found['mnist_model_version_share{model_version="1.4"}'] == 0.25
    assert found['mnist_model_version_share{model_version="1.2"}'] == 0
    assert found['mnist_model_version_info{model_version="1.2",role="previous"}'] == 1
    assert found['mnist_version_changes_total{kind="swap"}'] == 2
    assert found['mnist_version_changes_total{kind="rollback"}'] == 0


def test_without_a_backup_folder_there_is_no_backup_metric(start, tmp_path):
    found = start(backups=tmp_path / "none").metrics()
    assert "mnist_backup_timestamp_seconds" not in found
    assert found['mnist_exporter_failed{subject="machine"}'] == 0


def test_an_unreadable_backup_folder_is_an_error_not_a_missing_backup(start, tmp_path):
    (tmp_path / "file").touch()
    assert start(backups=tmp_path / "file").metrics()['mnist_exporter_failed{subject="machine"}'] == 1


def test_the_newest_backup_is_exported(start, tmp_path):
    (tmp_path / "old.tar").touch()
    (tmp_path / "new.tar").touch()
    found = start().metrics()["mnist_backup_timestamp_seconds"]
    assert found == pytest.approx((tmp_path / "new.tar").stat().st_mtime)


def test_the_access_log_has_route_status_and_version(start, tmp_path):
    exporter = start()
    folder = tmp_path / "gateway"
    folder.mkdir()
    with (
        upstreams.model() as model,
        upstreams.page() as page,
        gateway.run_gateway(
            folder, model.address, page.address, exporter=f"127.0.0.1:{exporter.port}"
        ) as nginx,
    ):
        for path in ("/predictions/mnist", "/predict?x=1", "/explanations/mnist"):
            requests.post(nginx.url + path, data=b"x", timeout=30)
        requests.post(nginx.inner_url + "/predict", data=b"x", timeout=30)
        requests.post(nginx.url + "/predict", data=iter([b"x"]), timeout=30)  # chunked
        requests.get(nginx.url + "/predict", timeout=30)
        requests.get(nginx.url, timeout=30)
        kinds = {
            ("public", "1.0", "predict", "200"): 3,
            ("public", "1.0", "explain", "200"): 1,
            ("inner", "1.0", "predict", "200"): 1,
            ("public", "", "predict", "405"): 1,
            ("public", "", "page", "200"): 1,
        }
        form = 'mnist_requests_total{{listener="{}",model_version="{}",route="{}",status="{}"}}'
        wanted = {form.format(*kind): count for kind, count in kinds.items()}

        def all_are_counted() -> bool:
            found = {k: v for k, v in exporter.metrics().items() if k.startswith("mnist_requests_total")}
            assert found == wanted
            return True

        eventually(all_are_counted)


def test_a_chunked_request_is_counted_for_its_version(start, tmp_path):
    exporter = start()
    folder = tmp_path / "gateway"
    folder.mkdir()
    split = Versions("1.0", split={"1.1": 0.5})
    with (
        upstreams.model() as model,
        gateway.run_gateway(
            folder, model.address, model.address, versions=split, exporter=f"127.0.0.1:{exporter.port}"
        ) as nginx,
    ):
        for _ in range(40):
            answer = requests.post(nginx.url + "/predict", data=iter([b"x"]), timeout=30)
            assert "X-Answered-By" not in answer.headers
        asked = [request["path"].removeprefix("/predictions/mnist") for request in model.requests]
        form = 'mnist_requests_total{{listener="public",model_version="{}",route="predict",status="200"}}'
        wanted = {"1.1": asked.count("/1.1"), "1.0": asked.count("")}
        assert min(wanted.values()) > 0
        eventually(lambda: {v: exporter.metrics().get(form.format(v)) for v in wanted} == wanted)


def test_every_request_of_a_burst_is_counted(start):
    exporter = start()
    for _ in range(300):
        exporter.log()
    eventually(lambda: exporter.metrics().get(COUNTED) == 300)
