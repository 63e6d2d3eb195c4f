"""Keeps the identities that serve in step with what is taught, by this process or by another one.

Every change goes through the store: it is written there first, and comes back from there. The identities
are then replaced by one assignment, so an answer that is being made goes on with the one it took.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from PIL import Image

from kyara.errors import BadInputError, KyaraError, NotFoundError
from kyara.recognition.backbone import Backbone
from kyara.recognition.bundle import Bundle, Character
from kyara.recognition.characters import check_label, check_texts, name_after_label
from kyara.recognition.enrolment_store import PACKED, Changes, TaughtCharacter, TaughtStore
from kyara.recognition.gallery import scale_to_unit
from kyara.recognition.identities import Enrolment, Identities
from kyara.recognition.packs import Pack, check_network

MAX_TAUGHT_CROPS = 20
"""In one enrolment."""
KEPT_CROP_PX = 256
"""Longest side of a kept crop: more than the networks look at, for one that is still to come."""
THUMBNAIL_PX = 160
_EXTRACTED_AT_ONCE = 64

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lesson:
    """Crops to be taught and what the network sees in them, for who needs that before they are taught.

    Attributes:
        crops: `uint8 (h, w, 3)` each, as they are kept.
        features: `float32 (N, features)`, of unit length.
    """

    crops: Sequence[np.ndarray]
    features: np.ndarray

    @classmethod
    def of(cls, backbone: Backbone, crops: Iterable[np.ndarray]) -> Lesson:
        """Look at crops, `uint8 (H, W, 3)` sRGB each."""
        kept = [_shrink(crop, KEPT_CROP_PX) for crop in crops]
        return cls(kept, scale_to_unit(backbone.extract(kept)))

    def split(self) -> Iterator[Lesson]:
        """Give it in parts that are taught at a time."""
        for start in range(0, len(self.crops), MAX_TAUGHT_CROPS):
            part = slice(start, start + MAX_TAUGHT_CROPS)
            yield Lesson(self.crops[part], self.features[part])


class LiveIdentities:
    """The identities of this moment. They may be used from several threads."""

    def __init__(
        self, bundle: Bundle, backbone: Backbone, store: TaughtStore, index_from: int | None = None
    ) -> None:
        """Start with the bundle's own characters, and take in what was taught.

        A store that cannot be read is logged: the bundle serves without it. From so many references on
        there is an index of those that are here now; what is taught later is compared beside it.
        """
        self.store = store
        self._bundle = bundle
        self._backbone = backbone
        self._index_from = index_from
        self._identities = Identities.of_bundle(bundle)
        self._moment = 0
        self._turn = threading.Lock()
        self._complaint = ""
        self._identities = self.now().indexed(index_from)

    def now(self) -> Identities:
        """Return the identities, with everything taken in that any process has taught so far."""
        with self._turn:
            try:
                changes = self.store.read_changes(self._moment, self._backbone.fingerprint)
                self._complaint = ""
            except KyaraError as error:
                self._complain(str(error))
                return self._identities
            if changes is not None:
                self._take_in(changes)
            return self._identities

    def _complain(self, complaint: str) -> None:
        """Log a trouble once, not with every answer."""
        if complaint != self._complaint:
            logger.error("%s The characters known before go on being answered.", complaint)
            self._complaint = complaint

    def _take_in(self, changes: Changes) -> None:
        missing = [
            crop
            for taught in changes.characters
            for crop, vector in taught.references.items()
            if not self._fits(vector)
        ]
        extracted = self._extract_again(missing)
        enrolments = [self._make_enrolment(taught, extracted) for taught in changes.characters]
        starts_again = changes.anew and self._moment > 0
        before = Identities.of_bundle(self._bundle) if starts_again else self._identities
        learned = before.learn(enrolments)
        self._identities = learned.indexed(self._index_from) if starts_again else learned
        self._moment = changes.moment

    def _fits(self, vector: np.ndarray | None) -> bool:
        return (
            vector is not None
            and vector.shape == (self._backbone.dimension,)
            and bool(np.isfinite(vector).all())
        )

    def _make_enrolment(self, taught: TaughtCharacter, extracted: Mapping[int, np.ndarray]) -> Enrolment:
        usable = {
            crop: extracted.get(crop, vector)
            for crop, vector in taught.references.items()
            if crop in extracted or self._fits(vector)
        }
        features = np.array(list(usable.values()), np.float16).reshape(-1, self._backbone.dimension)
        ids = [f"{PACKED}{crop}" if crop in taught.packed else str(crop) for crop in usable]
        return Enrolment(taught.character, features, ids, taught.forgotten, taught.brought)

    def _extract_again(self, crops: list[int]) -> dict[int, np.ndarray]:
        """Make the features that this backbone has not made yet, and keep them for the next start."""
        if crops:
            logger.info("Making features of %d taught crops for this model.", len(crops))
        extracted: dict[int, np.ndarray] = {}
        for start in range(0, len(crops), _EXTRACTED_AT_ONCE):
            some: dict[int, np.ndarray] = {}
            for crop in crops[start : start + _EXTRACTED_AT_ONCE]:
                try:
                    pixels = self.store.read_crop(str(crop))
                except KyaraError as error:
                    logger.error("The taught crop %d is left out: %s", crop, error)
                    continue
                if pixels is not None:
                    some[crop] = self._extract([pixels])[0]
            try:
                self.store.keep_features(self._backbone.fingerprint, some)
            except KyaraError as error:
                self._complain(str(error))
            extracted |= some
        return extracted

    def _extract(self, crops: list[np.ndarray]) -> np.ndarray:
        """Return features as they are kept: unit length, `float16 (N, features)`."""
        return scale_to_unit(self._backbone.extract(crops)).astype(np.float16)

    def teach(
        self,
        label: str,
        crops: Iterable[np.ndarray] | Lesson,
        name: Mapping[str, str] | None = None,
        work: Mapping[str, str] | None = None,
    ) -> int:
        """Add references of a character; see `Classifier.teach`."""
        known = label in self._bundle.labels or label in self.now().columns
        checked = label if known else check_label(label)
        names, works = check_texts(name or {}, "name"), check_texts(work or {}, "work")
        if not known:
            names = names or name_after_label(checked)
        self.check_teachable()
        lesson = crops if isinstance(crops, Lesson) else None
        some = crops.crops if isinstance(crops, Lesson) else islice(crops, MAX_TAUGHT_CROPS + 1)
        kept = [_shrink(crop, KEPT_CROP_PX) for crop in some]
        if not 1 <= len(kept) <= MAX_TAUGHT_CROPS:
            count = f"more than {MAX_TAUGHT_CROPS}" if kept else "none"
            raise BadInputError(f"Give 1 to {MAX_TAUGHT_CROPS} crops of {label}; received {count}.")
        features = lesson.features.astype(np.float16) if lesson else self._extract(kept)
        for index in np.flatnonzero(~(np.linalg.norm(features.astype(np.float32), axis=1) > 0.5)):
            raise BadInputError("The network sees nothing in this crop.", crop=int(index))
        character = Character(checked, names, works)
        of_bundle = label in self._bundle.labels
        fingerprint = self._backbone.fingerprint
        references = self.store.teach(character, kept, features, fingerprint, of_bundle=of_bundle)
        self.now()
        return references

    def check_teachable(self) -> None:
        """Refuse to teach a model that does not tell characters apart.

        Raises:
            BadInputError: it is such a model.
        """
        if self._bundle.task == "multi":
            raise BadInputError(
                f"The model {self._bundle.name} gives independent labels; only a model that tells "
                "characters apart can be taught."
            )

    def install_pack(self, pack: Pack) -> None:
        """Add everything that a pack brings, in one transaction.

        Raises:
            BadInputError: it is for another network, or the model cannot be taught.
            ConflictError: a pack of this name is installed.
            StorageFullError: no room; nothing was changed.
        """
        self.check_teachable()
        check_network(pack, self._backbone.fingerprint, self._backbone.dimension)
        self.store.install_pack(pack)
        self.now()

    def remove_pack(self, name: str) -> tuple[int, int]:
        """Take away what a pack brought; see `TaughtStore.remove_pack`."""
        taken = self.store.remove_pack(name)
        self.now()
        return taken

    def list_own(self) -> list[tuple[Character, np.ndarray]]:
        """Return what was taught here, without what packs brought; see `TaughtStore.list_own`."""
        self.now()  # makes the features of crops that another backbone has seen
        return self.store.list_own(self._backbone.fingerprint)

    def forget(self, label: str, reference: str | None = None) -> int:
        """Take back what was taught of a character; see `Classifier.forget`."""
        identities = self.now()
        if label not in identities.columns:
            raise NotFoundError(f"Nobody is known by the label {ascii(label)[:120]}.")
        left = 0
        if reference is None:
            self.store.forget(label, hide=label in self._bundle.labels)
        else:
            left = self.store.forget_reference(label, reference)
        self.now()
        return left

    def find_taught(self, label: str, crop: np.ndarray) -> str | None:
        """Return the id of the reference that was made of a crop; see `Classifier.find_taught`."""
        return self.store.find_crop(label, _shrink(crop, KEPT_CROP_PX))

    def draw_thumbnail(self, reference: str) -> np.ndarray | None:
        """Return a small picture of a taught reference; see `Classifier.draw_thumbnail`."""
        crop = self.store.read_crop(reference)
        return None if crop is None else _shrink(crop, THUMBNAIL_PX)


def _shrink(pixels: np.ndarray, longest_px: int) -> np.ndarray:
    image = Image.fromarray(pixels)
    image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    return np.asarray(image)
