import stat

from ops import secrets


def test_each_secret_is_written_once_and_for_its_owner_alone(system):
    written = secrets.ensure(system)
    assert {path.name for path in written} == set(secrets.NAMES)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in written)
    before = {name: secrets.read(system, name) for name in secrets.NAMES}
    assert len(set(before.values())) == len(before)
    assert all(len(value) >= 24 for value in before.values())

    assert secrets.ensure(system) == []
    assert {name: secrets.read(system, name) for name in secrets.NAMES} == before
