"""Load an unpacked archive with TorchServe's own loader and print the digit of each picture.

    python -I load_as_torchserve.py FOLDER PICTURE...

training.archive starts it as a process with the archive, not the checkout, on its import path.
"""

import json
import sys
from pathlib import Path


def main(folder: Path, pictures: list[Path]) -> None:
    sys.path.insert(0, str(folder))  # as TorchServe does
    from ts.context import RequestProcessor
    from ts.model_loader import ModelLoaderFactory

    manifest = json.loads((folder / "MAR-INF" / "MANIFEST.json").read_text(encoding="utf-8"))
    loader = ModelLoaderFactory.get_model_loader()
    service = loader.load("mnist", str(folder), manifest["model"]["handler"], None, 1)
    context = service.context
    for picture in pictures:
        context.request_processor = [RequestProcessor({"content-type": "image/png"})]
        [answer] = service._entry_point([{"body": picture.read_bytes()}], context)
        print(json.loads(answer)["digit"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
