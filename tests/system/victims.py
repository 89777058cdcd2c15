"""The processes of a running system, to be killed: by the name of what they are, their process ids."""

import re
from collections.abc import Callable

import psutil

from ops.native import leftovers, supervisor
from ops.system import System


def _supervised(part: str) -> Callable[[System], list[int]]:
    return lambda system: [(supervisor.processes(system) or {})[part]["pid"]]


def _child(part: str, which: int) -> Callable[[System], list[int]]:
    return lambda system: [psutil.Process(_supervised(part)(system)[0]).children()[which].pid]


def _of_torchserve(pattern: str) -> Callable[[System], list[int]]:
    """Those processes of TorchServe whose command line matches."""
    return lambda system: [
        process.pid
        for process in leftovers.find(system, "torchserve")
        if re.search(pattern, " ".join(process.cmdline()))
    ]


jvm = _of_torchserve(r"/java ")
workers = _of_torchserve(r"model_service_worker\.py")

OF: dict[str, Callable[[System], list[int]]] = {
    "postgres": _supervised("postgres"),
    "a connection of postgres": _child("postgres", -1),
    "torchserve's keeper": _supervised("torchserve"),
    "torchserve's JVM": jvm,
    "both workers": workers,
    "page": _supervised("page"),
    "deliverer": _supervised("deliverer"),
    "exporter": _supervised("exporter"),
    "gateway": _supervised("gateway"),
    "gateway's worker": _child("gateway", 0),
}
