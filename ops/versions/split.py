"""Write the traffic split of the state file as nginx configuration.

split_clients(Versions("1.1", split={"1.2": 0.1}))     # natively, ops/native/gateway.py writes this text
write(system)                                          # in containers, the gateway polls this file
"""

from ops.files import write_whole
from ops.system import System
from ops.versions.state import Versions


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


def write(system: System) -> None:
    """Write the split for the gateway's container, atomically and only if it differs."""
    versions = Versions.read(system.versions)
    label = f'map "" $split_in_force {{\n    default "{split_label(versions)}";\n}}\n'
    wanted = label + split_clients(versions)
    if not (system.split.exists() and system.split.read_text(encoding="utf-8") == wanted):
        write_whole(system.split, wanted)
