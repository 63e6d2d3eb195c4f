"""What a request sent is gone with the request, whatever was wrong with it: nobody looks for garbage."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator

import pytest
from costly import png
from hostile import as_url, encode, png_of

from kyara.errors import KyaraError
from kyara.web.crops import SentCrops, SentPictures
from kyara.web.serving.admission import Deadline

GOOD = encode("PNG", (8, 8))
HEAVY = bytes(2_000_000)
BAD = {
    "not a picture": b"\x89PNG" + HEAVY,
    "too large": png((20_000, 20_000), 1, 0) + HEAVY,
    "damaged": png_of(64, 64, data=b"not deflate at all" + HEAVY),
    "cut short": encode("PNG", (64, 64))[:60],
}


@pytest.fixture
def no_garbage_collector() -> Iterator[None]:
    """Only counting references frees anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def ask(sent: Callable[[], SentPictures]) -> tuple[weakref.ref, list[str]]:
    """Decode what is sent; return a reference to the object that held it, and what was wrong."""
    pictures = sent()
    for index in pictures.good:
        with pictures.unpack(index, Deadline(60)):
            pass
    return weakref.ref(pictures), [str(error) for error in pictures.errors.values()]


@pytest.mark.parametrize("kind", BAD)
def test_of_a_request_with_refused_pictures_nothing_is_left(no_garbage_collector, kind):
    held, told = ask(lambda: SentPictures([lambda: GOOD, lambda: BAD[kind]], tolerant=True))
    assert (len(told), held()) == (1, None)


def test_of_refused_crops_nothing_is_left(no_garbage_collector):
    wrong = "data:image/png;base64," + "A" * 2_000_001
    urls = [as_url(GOOD), wrong, as_url(BAD["damaged"]), "nothing"]
    held, told = ask(lambda: SentCrops(urls, tolerant=True))
    assert (len(told), held()) == (3, None)


@pytest.mark.parametrize("tolerant", [True, False])
@pytest.mark.parametrize("kind", ["too large", "not a picture", "damaged"])
def test_of_a_request_that_is_refused_as_a_whole_nothing_is_left(no_garbage_collector, kind, tolerant):
    held: list[weakref.ref] = []

    class Watched(SentPictures):
        def __init__(self) -> None:
            held.append(weakref.ref(self))
            super().__init__([lambda: BAD[kind]] * 2, tolerant=tolerant)

    def refuse() -> None:
        pictures = Watched()
        for index in pictures.good:
            with pictures.unpack(index, Deadline(60)):
                pass
        pictures.check_any()

    with pytest.raises(KyaraError) as refused:
        refuse()
    del refused
    assert [one() for one in held] == [None]


def test_heavy_crops_that_are_refused_over_http_are_not_held(no_garbage_collector, client):
    crops = {"crops": [as_url(GOOD), *[as_url(BAD["damaged"])] * 2]}
    for _ in range(3):
        assert client.post("/api/identify", json=crops).status_code == 200
        assert client.post("/api/identify", json={"crops": crops["crops"][1:]}).status_code == 422
    assert [one for one in gc.get_objects() if isinstance(one, SentPictures)] == []
