"""Who answers, in the gateway's words: a piece of nginx configuration made of the state file.

split_clients(Versions("1.1", split={"1.2": 0.1}))     # natively a part of what ops/gateway.py writes
write(system)                                          # in containers: a file that the gateway watches
"""

from ops.system import System
from ops.versions import Versions


def split_clients(versions: Versions) -> str:
    """Of every hundred keys ($split_key) so many go to a version, the rest to the default."""
    lines = [
        f'    {100 * share:.2f}% "mnist/{version}";' for version, share in (versions.split or {}).items()
    ]
    return "\n".join(
        ['split_clients "$split_key" $model {', *lines, '    * "mnist";', "}", *_model_version(versions), ""]
    )


def _model_version(versions: Versions) -> list[str]:
    """The number of the version that answered, for the gateway's log of requests."""
    lines = [f'    "mnist/{version}" "{version}";' for version in versions.split or {}]
    return [
        "map $answered_by $model_version {",
        *lines,
        f'    "mnist" "{versions.default}";',
        '    default "";',
        "}",
    ]


def split_label(versions: Versions) -> str:
    """By what the gateway of a container says which split it has (gateway/containers.conf.template)."""
    return " ".join(f"{version}={share:.4f}" for version, share in (versions.split or {}).items()) or "none"


def write(system: System) -> None:
    """Bring the file that the gateway's container watches to the state file; replaced whole, and only if it differs."""
    versions = Versions.read(system.versions)
    wanted = f'map "" $split_in_force {{\n    default "{split_label(versions)}";\n}}\n' + split_clients(
        versions
    )
    if system.split.exists() and system.split.read_text(encoding="utf-8") == wanted:
        return
    unfinished = system.split.with_suffix(".unfinished")
    unfinished.write_text(wanted, encoding="utf-8")
    unfinished.replace(system.split)
