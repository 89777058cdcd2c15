"""Archives made of a good one: others of its kind, and each of the ways in which one can be broken."""

import zipfile
from collections.abc import Callable
from pathlib import Path

HANDLER, PREDICTOR = "torchserve_handler.py", "handler/predictor.py"
MANIFEST = "MAR-INF/MANIFEST.json"
CONFIG = "model-config.yaml"
Change = Callable[[str, bytes], bytes]


def copy(archive: Path, version: str, change: Change = lambda _, content: content) -> Path:
    """A new archive beside it, of another version, each of its files by `change(name, content)`.

    It asks for one worker where the released one has two: to start one takes a core for seconds.
    """
    was = archive.stem.removeprefix("mnist-")
    made = archive.with_name(f"mnist-{version}.mar")
    with zipfile.ZipFile(archive) as contents, zipfile.ZipFile(made, "w") as changed:
        for name in contents.namelist():
            content = contents.read(name)
            if name == MANIFEST:
                content = content.replace(f'"{was}"'.encode(), f'"{version}"'.encode())
            if name == CONFIG:
                content = content.replace(b"Workers: 2", b"Workers: 1")
            changed.writestr(name, change(name, content))
    return made


def cut_off(archive: Path, version: str) -> Path:
    """As a copy that was broken off leaves it."""
    made = copy(archive, version)
    made.write_bytes(made.read_bytes()[:100_000])
    return made


def initialised_by(code: str) -> Change:
    """What each worker does in place of loading the model."""
    begin = b"def initialize(self, context: Any) -> None:"
    return _inserted(
        HANDLER, begin, begin + f"\n        {code}\n\n    def _unused(self, context: Any) -> None:".encode()
    )


# The worker's address space as it is, and so many bytes more: what the kernel refuses it, as where no memory is left.
LITTLE_MEMORY = """
        import resource
        from pathlib import Path
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + {room},) * 2)
"""


def with_room_for(room: int) -> Change:
    """So many bytes are what a worker may still take when it loads the model."""
    begin = b'"""Loads and warms up; TorchServe reports the worker ready when this returns."""'
    return _inserted(HANDLER, begin, begin + LITTLE_MEMORY.format(room=room).encode())


def rubbish(name: str) -> Change:
    """One file that holds what it never should."""
    return lambda changed, content: b"rubbish" if changed == name else content


# What a model does that answers, and not as it should.
TOO_SLOW = (
    PREDICTOR,
    b"        if not inputs:",
    b"        import time; time.sleep(0.15)\n        if not inputs:",
)
ALWAYS_A_THREE = (PREDICTOR, b"digit=digit,", b"digit=3,")
UNDER_ANOTHER_NAME = (PREDICTOR, b"model_version=self.version", b'model_version="0.1"')
RAISES = (
    HANDLER,
    b"return [prediction.as_dict()",
    b"raise RuntimeError\n        return [prediction.as_dict()",
)


def instead(change: tuple[str, bytes, bytes]) -> Change:
    """Other code in one place of one file."""
    return _inserted(*change)


def _inserted(name: str, was: bytes, becomes: bytes) -> Change:
    def change(changed: str, content: bytes) -> bytes:
        if changed != name:
            return content
        assert content.count(was) == 1, f"{name} is not as these tests know it"
        return content.replace(was, becomes)

    return change
