"""The face network: pixels → tight boxes with a score, eyes and lean.

Kyara's own (recipe `detector`), a bundle of a few hundred kB beside the recognition models. LiteRT
runs here what OpenCV.js runs in `static/js/faces/opencv-search.js`; both look at the same views
(`tiles.py`) and find the same boxes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from kyara.errors import BadInputError
from kyara.vision.boxes import Box, FoundFace, turn_box
from kyara.vision.detector_bundle import (
    DetectorBundle,
    find_detector_bundle,
    load_detector_bundle,
)
from kyara.vision.detectors.base import check_pixels, sort_faces, tell_nothing
from kyara.vision.detectors.eyes import EyeFinder, measure_roll
from kyara.vision.detectors.tiles import (
    LEAST_AGAIN,
    FaceCandidate,
    TileView,
    choose_candidates,
    cut_tiles,
    join_looks,
    plan_second_look,
    plan_tile_view,
    read_cells,
)

SURER_IF_TURNED = 0.1
"""A turned picture's best face has a score that is higher by so much."""


class NetworkDetector:
    """See `base.FaceDetector`. Threads may share it; their calls to the network take turns."""

    name = "network"
    box_scale = 1.0

    def __init__(self, bundle: DetectorBundle, threshold: float | None = None) -> None:
        """Load the network of a bundle.

        Args:
            bundle: as `load_detector_bundle` gives it.
            threshold: least score of a face whatever the level; None leaves it to the level.
        """
        from ai_edge_litert.interpreter import Interpreter

        self.bundle, self._threshold = bundle, threshold
        self.version = bundle.version
        self._interpreter = Interpreter(model_content=bundle.network, num_threads=1)
        self._eyes: EyeFinder | None = None
        if bundle.eyes is not None:
            self._eyes = EyeFinder(bundle.eyes, bundle.settings["eyes"], bundle.settings["fill"])
        self._shape: tuple[int, ...] = ()
        self._lock = threading.Lock()

    def find(
        self, pixels: np.ndarray, *, level: int | None = None, plays: bool = False
    ) -> list[FoundFace]:
        """See `base.FaceDetector.find`.

        Of a picture that does not play, the surest face is returned whatever the level, if its score is
        the bundle's `surest_from` or more.
        """
        check_pixels(pixels)
        thresholds = self.bundle.thresholds
        default = self.bundle.plays_level if plays else self.bundle.default_level
        index = default if level is None else level
        if not 0 <= index < len(thresholds):
            raise BadInputError(f"The level must be 0 to {len(thresholds) - 1}; received {level}.")
        if self._threshold is not None:
            return self.find_above(pixels, self._threshold)
        return self.find_above(pixels, thresholds[index], None if plays else self.bundle.surest_from)

    def find_above(
        self, pixels: np.ndarray, least: float, surest_from: float | None = None
    ) -> list[FoundFace]:
        """Return the faces with at least a score, 0 to 1, in the order of `find`.

        Where there is none, it is the one with the best score, if that is `surest_from` or more.
        If none of them is sure, the picture is turned by quarters as well; what is found then is
        returned if it is shown by default in what plays, and surer by `SURER_IF_TURNED`.
        """
        floor = min(least, self.bundle.thresholds[-1])  # whether to turn it does not hang on the level
        found, quarters = self.find_upright(pixels, floor), 0
        sure, shown = self.bundle.thresholds[0], self.bundle.thresholds[self.bundle.plays_level]
        best = _find_best(found)
        least_turned = max(shown, best + SURER_IF_TURNED)
        for turn in (1, 2, 3) if best < sure else ():
            turned = self.find_upright(np.rot90(pixels, turn), floor)
            if (score := _find_best(turned)) >= least_turned:
                least_turned, found, quarters = score, turned, turn
        seen = np.rot90(pixels, quarters)
        if surest_from is not None:
            least = min(least, max(_find_best(found), surest_from))
        told = [self._find_eyes(seen, face) for face in found if face.score >= least]
        if quarters == 0:
            return told
        return sort_faces([_turn_back(face, pixels.shape, quarters) for face in told])

    def find_upright(self, pixels: np.ndarray, least: float) -> list[FoundFace]:
        """As `find_above`, in the picture as it is, and without the eyes that a second network tells."""
        height, width = pixels.shape[:2]
        found: list[FoundFace] = []
        if min(height, width) < self.bundle.settings["min_box_px"]:
            return found  # it would be cut into a tile for each pixel
        again = self.bundle.settings["second_look"]
        candidates = self.list_candidates(pixels, min(least, again["least"]) if again else least)
        for candidate in candidates if again is None else self._look_again(pixels, candidates, again):
            if candidate.score < least:
                continue
            box = cut_to_picture(candidate, width, height)
            if min(box.width, box.height) >= self.bundle.settings["min_box_px"]:
                eyes = candidate.eyes if self.bundle.settings["tells_eyes"] else None
                found.append(FoundFace(box, candidate.score, eyes))
        most = self.bundle.settings["max_boxes"]
        return sort_faces(sorted(found, key=lambda face: -face.score)[:most])

    def _find_eyes(self, pixels: np.ndarray, face: FoundFace) -> FoundFace:
        """Tell where a face's eyes are and how far it leans, where the bundle can."""
        if self._eyes is None:
            return face
        eyes = self._eyes.find(pixels, face.box)
        roll = measure_roll(eyes) if eyes else 0.0
        leans = abs(roll) >= self.bundle.settings["eyes"]["from_deg"]
        return FoundFace(face.box, face.score, eyes, roll if leans else 0.0)

    def list_candidates(self, pixels: np.ndarray, least: float) -> list[FaceCandidate]:
        """Return one candidate a face, the highest score first."""
        settings = self.bundle.settings
        height, width = pixels.shape[:2]
        found = [
            candidate
            for tile in cut_tiles(width, height, settings["longest_ratio"], settings["tile_overlap"])
            for side in settings["longest_sides_px"]
            for candidate in self._look(
                pixels, plan_tile_view(tile, side, settings["most_enlarged"]), least
            )
        ]
        merge = settings["merge"]
        return choose_candidates(found, merge["overlap"], merge["inside"])

    def _look_again(
        self, pixels: np.ndarray, candidates: list[FaceCandidate], again: dict[str, float]
    ) -> list[FaceCandidate]:
        """Look closer at candidates that are neither sure nor unlikely, the likeliest first."""
        height, width = pixels.shape[:2]
        unsure = [one for one in candidates if again["least"] <= one.score < again["most"]]
        joined = {}
        for candidate in unsure[: int(again["faces"])]:
            view = plan_second_look(candidate, width, height, again["face_px"], again["side_px"])
            joined[candidate] = join_looks(candidate, self._look(pixels, view, LEAST_AGAIN))
        return [joined.get(candidate, candidate) for candidate in candidates]

    def _look(self, pixels: np.ndarray, view: TileView, least: float) -> list[FaceCandidate]:
        picture = draw_tile(pixels, view, self.bundle.settings["fill"])
        with self._lock:
            if picture.shape != self._shape:
                self._interpreter.resize_tensor_input(0, picture.shape)
                self._interpreter.allocate_tensors()
                self._shape = picture.shape
            self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], picture)
            self._interpreter.invoke()
            cells = self._interpreter.get_tensor(self._interpreter.get_output_details()[0]["index"])[0]
        return read_cells(cells, view, least)


def _find_best(faces: list[FoundFace]) -> float:
    return max((face.score for face in faces), default=0.0)


def _turn_back(face: FoundFace, shape: tuple[int, ...], quarters: int) -> FoundFace:
    """Bring a face of a picture that was turned counter-clockwise back into the picture."""
    height, width = shape[:2] if quarters == 2 else shape[1::-1]
    box, eyes = face.box, face.eyes
    for _ in range(quarters):
        box = turn_box(box, height)
        if eyes:
            x1, y1, x2, y2 = eyes
            eyes = height - y1, x1, height - y2, x2
        height, width = width, height
    return FoundFace(box, face.score, eyes, (quarters * 90 + face.roll_deg + 180) % 360 - 180)


def draw_tile(pixels: np.ndarray, view: TileView, fill: int) -> np.ndarray:
    """Cut, scale and fill up: `uint8 (H, W, 3)` → `float32 (1, height, width, 3)` in [0, 1]."""
    import cv2

    tile = view.tile
    part = pixels[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width]
    way = cv2.INTER_AREA if view.scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(np.ascontiguousarray(part), (view.width, view.height), interpolation=way)
    picture = np.full((1, view.padded_height, view.padded_width, 3), fill / 255, np.float32)
    picture[0, : view.height, : view.width] = scaled / np.float32(255)
    return picture


def cut_to_picture(candidate: FaceCandidate, width: int, height: int) -> Box:
    """Round a candidate to whole pixels inside the picture."""

    def place(value: float, most: int) -> int:
        return min(max(0, int(np.floor(value + 0.5))), most)

    left, right = (place(candidate.x + side * candidate.width / 2, width) for side in (-1, 1))
    top, bottom = (place(candidate.y + side * candidate.height / 2, height) for side in (-1, 1))
    return Box(left, top, right - left, bottom - top)


@cache
def load_network(folder: Path | None = None, threshold: float | None = None) -> NetworkDetector:
    """Load a detector's bundle once; None: the one that serves.

    Raises:
        BundleError: it is missing or damaged.
    """
    return NetworkDetector(load_detector_bundle(folder or find_detector_bundle()), threshold)


@contextmanager
def open_network(
    *,
    threshold: float | None = None,
    tell: Callable[[str], None] = tell_nothing,
    models: Path | None = None,
) -> Iterator[NetworkDetector]:
    """See `base.open_detector`."""
    yield load_network(find_detector_bundle(models), threshold)
