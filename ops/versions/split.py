"""Write the traffic split of the desired state as nginx configuration.

    split_clients(Versions("1.1", split={"1.2": 0.1}))     # natively, ops/native/gateway.py writes this text
    write(system, versions)                                # in containers, the gateway polls this file
    python -m ops.versions.split

On one machine, the controller writes the file. On several, the command runs beside each gateway and reads the store.
"""

from threading import Event

from json_logs import log_as_json
from ops.files import write_whole
from ops.system import System
from ops.versions.state import Versions
from ops.versions.store import open_store, repeat

FOLLOW_EVERY_S = 0.5


def split_clients(versions: Versions) -> str:
    """nginx configuration that sends each version its share of the keys ($split_key), the rest to the default.

    A second map gives the version of the answering model, for the access log.
    """
    split = versions.split or {}
    shares = "".join(f'    {100 * share:.2f}% "mnist/{version}";\n' for version, share in split.items())
    names = "".join(f'    "mnist/{version}" "{version}";\n' for version in split)
    return (
        f'split_clients "$split_key" $model {{\n{shares}    * "mnist";\n}}\n'
        f'map $answered_by $model_version {{\n{names}    "mnist" "{versions.default}";\n    default "";\n}}\n'
    )


def split_label(versions: Versions) -> str:
    """The split in one line, which a container's gateway reports (gateway/containers.conf.template)."""
    return " ".join(f"{version}={share:.4f}" for version, share in (versions.split or {}).items()) or "none"


def write(system: System, versions: Versions) -> None:
    """Write the split for the gateway's container, atomically and only if it differs."""
    label = f'map "" $split_in_force {{\n    default "{split_label(versions)}";\n}}\n'
    wanted = label + split_clients(versions)
    if not (system.split.exists() and system.split.read_text(encoding="utf-8") == wanted):
        write_whole(system.split, wanted)


def follow(system: System) -> None:
    """Write each change of the desired state, forever. While the store is unavailable, the last split stays."""
    store = open_store(system)
    repeat(lambda: write(system, store.read()), FOLLOW_EVERY_S, "the split stays as it is", Event())


if __name__ == "__main__":
    log_as_json("split")
    follow(System.from_settings())
