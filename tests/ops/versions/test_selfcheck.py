"""A version is checked with the pictures in the folder of known digits."""

import pytest

from ops.versions import selfcheck


@pytest.mark.parametrize(("label", "error"), [(3, None), (7, "it reads a known 7 as a 3")])
def test_the_pictures_in_the_folder_are_the_known_digits(tmp_path, monkeypatch, label, error):
    (tmp_path / f"{label}.png").write_bytes(b"a picture")
    monkeypatch.setattr(selfcheck, "KNOWN_DIGITS", tmp_path)

    def answer_three(_api, _what, version, drawing):
        assert drawing == b"a picture"
        answer = {"digit": 3, "is_digit": True, "model_version": version, "heatmap": []}
        return answer, 0.001

    monkeypatch.setattr(selfcheck, "_post", answer_three)
    if error is None:
        assert selfcheck.check("http://unused", "1.1", beside="1.0") == 1.0
    else:
        with pytest.raises(selfcheck.CheckError, match=error):
            selfcheck.check("http://unused", "1.1", beside="1.0")
