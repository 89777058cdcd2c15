"""The patch of TorchServe's batching class. test_controller.py tests its effect."""

import zipfile

from ops.versions import batching

CODE = b"before" + batching.FOUND + b"after"


def _jar(folder, code):
    with zipfile.ZipFile(folder / "model-server.jar", "w") as jar:
        jar.writestr(batching.CLASS, code)
    return folder / "model-server.jar"


def test_one_byte_of_the_class_differs(tmp_path):
    batching.write_patched_class(_jar(tmp_path, CODE), tmp_path)
    patched = (tmp_path / batching.CLASS).read_bytes()
    assert [(old, new) for old, new in zip(CODE, patched, strict=True) if old != new] == [(0x9D, 0x9C)]


def test_another_torchserve_version_is_not_patched(tmp_path, caplog):
    for code in (b"", CODE + CODE):
        batching.write_patched_class(_jar(tmp_path, code), tmp_path)
        assert not (tmp_path / batching.CLASS).exists()
    assert "model-server.jar is not of TorchServe 0.12.0" in caplog.text
