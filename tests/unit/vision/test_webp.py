"""WebPs are read as Pillow reads them, with fewer copies of their pixels."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from encoding import encode_image
from PIL import Image

from kyara.errors import BrokenImageError
from kyara.vision.images import decode_image
from kyara.vision.webp import load_webp

SIZE = (37, 23)
NOISE = np.random.default_rng(3).integers(0, 256, (SIZE[1], SIZE[0], 4), np.uint8)
PEAK_OF_THE_LARGEST = """
import io
from PIL import Image
from kyara.vision.images import decode_image

def read(name):
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))

buffer = io.BytesIO()
picture = Image.new("RGBA", (4000, 4000))
picture.save(buffer, "WEBP", lossless=True, method=0)
picture.close()
del picture
open("/proc/self/clear_refs", "w").write("5")  # the peak counts from here
before = read("VmRSS")
decode_image(buffer.getvalue(), enough_px=512)
print(read("VmHWM") - before)
"""


def save(mode: str, **options) -> bytes:
    image = Image.fromarray(NOISE).convert(mode)
    return encode_image(image, "WEBP", lossless=True, exact=True, **options)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_webp_has_the_pixels_that_pillow_reads(mode):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = save(mode, exif=exif)
    with Image.open(io.BytesIO(data)) as theirs, Image.open(io.BytesIO(data)) as opened:
        ours = load_webp(opened)
        assert (ours.mode, ours.size, ours.info["exif"]) == (mode, SIZE, theirs.info["exif"])
        assert np.array_equal(np.asarray(ours), np.asarray(theirs))


def test_of_an_animated_webp_the_first_frame_is_read():
    second = Image.new("RGB", SIZE)
    data = save("RGB", save_all=True, append_images=[second])
    assert np.array_equal(decode_image(data), NOISE[..., :3])


def test_a_damaged_webp_is_refused():
    data = save("RGB")
    with pytest.raises(BrokenImageError, match="damaged"):
        decode_image(data[:40] + bytes(len(data) - 40))


def test_of_the_largest_webp_three_copies_are_in_memory_and_no_more():
    said = subprocess.run(
        [sys.executable, "-c", PEAK_OF_THE_LARGEST], check=True, capture_output=True, text=True
    )
    copies = int(said.stdout) / (4 * 4000 * 4000)
    assert 2 < copies < 3.3
