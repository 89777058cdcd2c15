"""Fetch and verify the pen strokes of the real drawings, in data/drawn/ or the folder DRAWN_DATA.

pendigits: E. Alpaydin, F. Alimoglu, UCI Machine Learning Repository 81, CC BY 4.0. UJI Pen Characters: F. Prat and
others, UCI 160, CC BY 4.0. Omniglot: B. Lake, MIT. The addresses contain a commit, so the content never changes.
"""

from dataclasses import dataclass
from pathlib import Path

import settings
from training.data.download import DataError, fetch_file, is_verified

ROOT = Path(__file__).resolve().parents[2]
HOST = "https://raw.githubusercontent.com/"


@dataclass(frozen=True)
class PenFile:
    """Name below the folder, address after HOST, and SHA-256."""

    name: str
    address: str
    sha256: str


PENDIGITS = PenFile(
    "pendigits-orig.tra",
    "choucavalier/pendigits-hmm/03382e1457941714439d40b67e53eaf117fe4d08/data/pendigits-train",
    "a66225d68d7d68591e62944df1ad33b3f5aa608e2df2505844b41f5568a80da4",
)
_OMNIGLOT = "brendenlake/omniglot/057f034baf2ecb8530bc5710e5a23584d2a519cc/python/"
OMNIGLOT = PenFile(
    "omniglot_strokes_small2.zip",
    f"{_OMNIGLOT}strokes_background_small2.zip",
    "345bf2141efbea062833dbb2828abbc23d9e07825e46f2afdd4daecddfed6e78",
)
# Only for the reporting sets.
REPORTING = PenFile(
    "omniglot_strokes_small1.zip",
    f"{_OMNIGLOT}strokes_background_small1.zip",
    "8cb3960fb6cf4ccf5f064ad83169f828c36c36782a0f6e7faacb7ecfae4468a2",
)
_UJI = "yangxikevinou/DigitSignature/16f5add2ccfb27c380541ac6fbf2cc5858084695/DataSource/"
# One file for each writer, 1 to 11.
UJI = tuple(
    PenFile(f"uji/UJIpenchars-w{number:02}.txt", f"{_UJI}UJIpenchars-w{number:02}.txt", sha256)
    for number, sha256 in enumerate(
        (
            "fdbaac66233c05fbf685a977807ec7555a8753d9c20702b40ac99f3e1fb635f6",
            "d576a82ec0ddd72456051437cd5818e357e00df6f224a78236a10348d1ee9cbd",
            "f4f8ce957dac7f67cda197f2bfa2ef8e8cb7ce8bdfd1f6a298d0f0f9f580e1cc",
            "ff40fe0cfa9b0a1bd5a23971978f71b0b5f212d2bce1662551c651f597996256",
            "6aacaad8bc19efec531ef8cb9cbf93deac4ddc6547a7177f5004bf7430b2e6c7",
            "3a96f361394cb208ac6182bb9c513edca42332473fe71fda8aeb4ebe4ab7e6be",
            "e1e42923f74924b70455803741596bd5e387e60c1e111ff289bc2606bd82f855",
            "b06b620c24df8e25179dac8e65b812086891d0909e767f37e0b0218a8a2f7528",
            "7d7c0d6a77f66f26820605a679adb27e4eeafc93a42f454d9ec1bb50bb381d21",
            "84fbc105f23a11dd5edb819af883be76b09a0ae1535ea04141c20c2b97b27e4e",
            "93d341a429b55936fc975ba9beff9049352563935d16696878e988513fe1a99d",
        ),
        1,
    )
)
LEARNED = (PENDIGITS, *UJI, OMNIGLOT)
FILES = (*LEARNED, REPORTING)


def folder() -> Path:
    """The folder of the files."""
    return ROOT / settings.DRAWN_DATA.read()


def missing_files(root: Path) -> list[PenFile]:
    """The files that are missing or have another checksum."""
    return [file for file in FILES if not is_verified(root / file.name, file.sha256)]


def fetch() -> Path:
    """Download missing files, unless DRAWN_DATA names a folder; return the folder. Raises DataError."""
    root = folder()
    if settings.DRAWN_DATA.read() == settings.DRAWN_DATA.default:
        for file in missing_files(root):
            print(f"downloading {file.name} ...", flush=True)
            fetch_file(HOST + file.address, root, file.name, file.sha256)
    if missing := missing_files(root):
        raise DataError(
            f"Real drawings are missing in {root}: {', '.join(file.name for file in missing)}. Put the files there "
            f"(addresses: training/data/pen_data.py), set DRAWN_DATA to a folder with them, or use "
            "--without-real-drawings."
        )
    return root
