"""Write the traffic split of the state file as nginx configuration.

split_clients(Versions("1.1", split={"1.2": 0.1}))     # natively, ops/native/gateway.py writes this text
write(system)                                          # in containers, the gateway polls this file
"""

from ops.system import System
from ops.versions.state import Versions


def split_clients(versions: Versions) -> str:
    """nginx configuration that sends each version its share of the keys ($split_key), the rest to the default."""
    lines = [
        f'    {100 * share:.2f}% "mnist/{version}";' for version, share in (versions.split or {}).items()
    ]
    return "\n".join(
        ['split_clients "$split_key" $model {', *lines, '    * "mnist";', "}", *_model_version(versions), ""]
    )


def _model_version(versions: Versions) -> list[str]:
    """nginx's map from the answering model to its version, for the access log."""
    lines = [f'    "mnist/{version}" "{version}";' for version in versions.split or {}]
    return [
        "map $answered_by $model_version {",
        *lines,
        f'    "mnist" "{versions.default}";',
        '    default "";',
        "}",
    ]


def split_label(versions: Versions) -> str:
    """The split in one line, which a container's gateway reports (gateway/containers.conf.template)."""
    return " ".join(f"{version}={share:.4f}" for version, share in (versions.split or {}).items()) or "none"


def write(system: System) -> None:
    """Write the split for the gateway's container, atomically and only if it differs."""
    versions = Versions.read(system.versions)
    wanted = f'map "" $split_in_force {{\n    default "{split_label(versions)}";\n}}\n' + split_clients(
        versions
    )
    if system.split.exists() and system.split.read_text(encoding="utf-8") == wanted:
        return
    unfinished = system.split.with_suffix(".unfinished")
    unfinished.write_text(wanted, encoding="utf-8")
    unfinished.replace(system.split)
