"""The other side of `animeface.py`: runs in the detector's own virtual environment, without Kyara.

One JSON object a line in, `{"png": base64}`; one a line out, `{"faces": [{"x", "y", "width", "height",
"likelihood", "eyes"}]}` or `{"error": text}`. Ends with its input.
"""

import base64
import io
import json
import os
import sys


def middle(place) -> list[float]:
    """Return x and y of a place's middle."""
    return [place.x + place.width / 2, place.y + place.height / 2]


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed must not be taken for an answer
    from importlib import import_module

    from PIL import Image

    animeface = import_module("animeface")  # not the module of this name beside this file

    for line in sys.stdin:
        try:
            data = base64.b64decode(json.loads(line)["png"])
            with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
                found = animeface.detect(image.convert("RGB"))
            answer = {
                "faces": [
                    {
                        "x": face.face.pos.x,
                        "y": face.face.pos.y,
                        "width": face.face.pos.width,
                        "height": face.face.pos.height,
                        "likelihood": face.likelihood,
                        "eyes": [middle(face.left_eye.pos), middle(face.right_eye.pos)],
                    }
                    for face in found
                ]
            }
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
