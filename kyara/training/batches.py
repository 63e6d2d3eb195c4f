"""Which faces an epoch shows, in which batches, augmented.

Importing this module imports Keras: import it inside the function that trains.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import keras
import numpy as np

from kyara.dataset.manifest import Face
from kyara.training.augment import TrainingFace, augment_face
from kyara.training.plan import Plan, draw_epoch, group_by_work


class FaceBatches(keras.utils.PyDataset):
    """Augmented batches: the same for the same seed, epoch and batch, whoever asks first."""

    def __init__(
        self,
        shown: Sequence[TrainingFace],
        targets: np.ndarray,
        faces: Sequence[Face],
        plan: Plan,
        epoch: int,
    ) -> None:
        """Take the training split.

        Args:
            shown: N of them.
            targets: `(N, …)`, given out with the pixels.
            faces: N of them: whom each shows.
            plan: what the run does.
            epoch: number of the first epoch, from 0.
        """
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=6)
        cv2.setNumThreads(1)  # the network has the cores
        self._shown, self._targets, self._faces, self._plan = shown, targets, faces, plan
        self._scenes = [one.pixels for one in shown]
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
        images = np.stack(
            [augment_face(self._shown[pick], plan.input_px, rng, scenes=self._scenes) for pick in picks]
        )
        return images.astype(np.float32) / np.float32(255), self._targets[picks]
