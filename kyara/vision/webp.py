"""A still WebP is unpacked with no more copies of its pixels than it needs.

In: a picture that Pillow opened and has not loaded. Out: one that is loaded.
"""

from __future__ import annotations

from PIL import Image


def load_webp(image: Image.Image) -> Image.Image:
    """Unpack the first frame of a WebP.

    Pillow reads every WebP as an animation. Its decoder keeps two canvases of 4 bytes a pixel until the
    picture is closed, while the frame is copied twice more: 256 MB for 16 Mpx. Here the decoder ends
    before the last copy: 192 MB.

    Args:
        image: of Pillow, not loaded; its decoder is gone afterwards.

    Returns:
        A picture of the same size, mode and `info`.

    Raises:
        Exception: as Pillow raises it: the picture is damaged.
    """
    decoder = image.__dict__.pop("_decoder", None)
    if decoder is None:  # of another Pillow
        image.load()
        return image
    frame = decoder.get_next()
    del decoder
    if frame is None:
        raise EOFError("The frame of a WebP cannot be decoded.")
    raw_mode: str = image.rawmode  # type: ignore[attr-defined]
    loaded = Image.frombytes(image.mode, image.size, frame[0], "raw", raw_mode)
    loaded.info = image.info
    return loaded
