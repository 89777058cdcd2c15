"""The gateway's container looks up the addresses of the other containers."""

from collections.abc import Iterator

import pytest

from fixtures.waiting import eventually
from tests.gateway.container import PAGE, TORCHSERVE, Container

HOSTS = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
ALL_NAMES = "torchserve-inference page-inner exporter-inner"
service = pytest.mark.service


@pytest.fixture
def gateway(tmp_path) -> Iterator[Container]:
    """A running gateway with one TorchServe, two pages, and no exporter."""
    container = Container(tmp_path, check_every_s=0.1)
    container.point(TORCHSERVE, HOSTS[:1])
    container.point(PAGE, HOSTS[1:])
    with container.running():
        yield container


def _lookups(gateway: Container) -> list[str]:
    """The names that each process of getent looked up."""
    return (gateway.folder / "lookups").read_text().splitlines()


@service
def test_without_a_change_one_process_looks_up_all_names(gateway: Container):
    eventually(lambda: _lookups(gateway)[-3:] == [ALL_NAMES] * 3)
    before = len(_lookups(gateway))
    gateway.point(PAGE, HOSTS[:0:-1])  # name servers rotate addresses
    eventually(lambda: len(_lookups(gateway)) >= before + 10)
    assert set(_lookups(gateway)[before:]) == {ALL_NAMES}


@service
def test_containers_that_exchange_their_addresses_are_followed(gateway: Container):
    gateway.point(PAGE, HOSTS[1:2])
    eventually(lambda: HOSTS[2] not in gateway.configuration("page.conf"))
    gateway.names[TORCHSERVE] = HOSTS[1:2]
    gateway.point(PAGE, HOSTS[:1])
    eventually(lambda: HOSTS[0] in gateway.configuration("page.conf"))


@service
def test_a_container_that_was_away_is_found_again(gateway: Container):
    gateway.point(PAGE, [])
    eventually(lambda: "127.0.0.1:" in gateway.configuration("page.conf"))
    gateway.point(PAGE, HOSTS[1:])
    eventually(lambda: HOSTS[1] in gateway.configuration("page.conf"))


def test_an_address_stays_for_three_failed_lookups_in_a_row(tmp_path):
    container = Container(tmp_path)
    container.point(PAGE, ["10.0.0.9"])
    once, thrice = "addresses page-inner", "for number in 1 2 3; do addresses page-inner; done"
    fail, work = f"mv {tmp_path}/names {tmp_path}/away", f"mv {tmp_path}/away {tmp_path}/names"
    output = container.run("; ".join((once, fail, thrice, work, once, fail, thrice, once)))
    assert output.split() == ["10.0.0.9"] * 8 + ["127.0.0.1"]
