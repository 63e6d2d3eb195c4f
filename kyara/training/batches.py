"""Which faces an epoch shows, in which batches, augmented.

Importing this module imports Keras: import it inside the function that trains.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from kyara.dataset.manifest import Face
from kyara.training.augment import augment_face
from kyara.training.plan import Plan, draw_epoch, group_by_work


class FaceBatches(keras.utils.PyDataset):
    """Augmented batches: the same for the same seed, epoch and batch, whoever asks first."""

    def __init__(
        self,
        pixels: np.ndarray,
        targets: np.ndarray,
        faces: Sequence[Face],
        plan: Plan,
        epoch: int,
        grounds: Sequence[np.ndarray | None] | None = None,
    ) -> None:
        """Take the training split.

        Args:
            pixels: `uint8 (N, S, S, 3)`.
            targets: `(N, …)`, given out with the pixels.
            faces: N of them.
            plan: what the run does.
            epoch: number of the first epoch, from 0.
            grounds: flat ground of each face or None; None replaces no ground.
        """
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=6)
        self._pixels, self._targets, self._faces, self._plan = pixels, targets, faces, plan
        self._grounds = grounds
        self._epoch = epoch
        self._draw()

    def _draw(self) -> None:
        plan = self._plan
        rng = np.random.default_rng([plan.seed, self._epoch])
        count = plan.faces_per_epoch or len(self._faces)
        order = draw_epoch(self._faces, plan.sampling_exponent, rng, count)
        works = [self._faces[pick].work for pick in order]
        self._order = order[group_by_work(works, plan.batch, plan.same_series_share, rng)]

    def on_epoch_end(self) -> None:
        """Draw the next epoch."""
        self._epoch += 1
        self._draw()

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return -(-len(self._order) // self._plan.batch)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a batch: `float32 (B, input_px, input_px, 3)` in [0, 1] and its targets."""
        plan = self._plan
        rng = np.random.default_rng([plan.seed, self._epoch, number])
        picks = self._order[number * plan.batch : (number + 1) * plan.batch]
        images = np.stack([self._augment(pick, rng) for pick in picks])
        return images.astype(np.float32) / np.float32(255), self._targets[picks]

    def _augment(self, pick: int, rng: np.random.Generator) -> np.ndarray:
        ground = self._grounds[pick] if self._grounds is not None else None
        return augment_face(
            self._pixels[pick], self._plan.input_px, rng, ground=ground, scenes=self._pixels
        )
