"""Train the detector: views drawn on the fly, AdamW with a cosine rate, averaged weights.

The whole state is kept after every epoch; a killed run goes on from there.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np

from kyara.errors import BadInputError
from kyara.storage.atomic import open_replacement, replace_file
from kyara.training.plan import DetectorPlan
from kyara.training.recipes.detector.looks import write_network
from kyara.training.recipes.detector.mining import keep_mined, mine_sources, restore_mined
from kyara.training.recipes.detector.network import build_detector
from kyara.training.recipes.detector.targets import detection_loss, draw_targets
from kyara.training.recipes.detector.views import Sources, draw_view
from kyara.vision.detectors.lbp_cascade import CascadeDetector
from kyara.vision.detectors.network import NetworkDetector

STATE_FILE = "state.json"
CLIP_NORM = 5.0


def draw_batches(
    sources: Sources, plan: DetectorPlan, epoch: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield one epoch's batches, drawn by a thread while the network learns."""
    steps = plan.views_per_epoch // plan.batch
    queue: Queue[Any] = Queue(maxsize=8)
    rng = np.random.default_rng([plan.seed, epoch])

    def draw() -> None:
        try:
            for _ in range(steps):
                pairs = [draw_view(sources, plan.side_px, rng) for _ in range(plan.batch)]
                pixels = np.stack([pixels for pixels, _ in pairs])
                targets = np.stack([draw_targets(faces, plan.side_px) for _, faces in pairs])
                queue.put((pixels, targets))
        except BaseException as error:
            queue.put(error)

    threading.Thread(target=draw, daemon=True).start()
    for _ in range(steps):
        item = queue.get()
        if isinstance(item, BaseException):
            raise item
        yield item


def train_detector(sources: Sources, plan: DetectorPlan, run: Path, *, tell: Any = print) -> Any:
    """Train, or go on with, the run in a folder, and return the averaged Keras model.

    Raises:
        BadInputError: the run was begun with another plan or other pictures.
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(plan.seed)
    model = build_detector()
    average = build_detector()
    steps = plan.views // plan.batch
    warmup = max(1, steps // 50)
    rate: Any = keras.optimizers.schedules.CosineDecay(
        plan.learning_rate / 50,
        max(1, steps - warmup),
        warmup_target=plan.learning_rate,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=plan.weight_decay, global_clipnorm=CLIP_NORM)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    optimizer.build(model.trainable_variables)
    kept = _Kept(run, model, average, optimizer)
    begun = {"plan": asdict(plan), "data": sources.digest()}
    epoch, history = kept.load(begun)
    if epoch == 0:
        average.set_weights(model.get_weights())

    @tf.function(jit_compile=False)
    def learn(pixels: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            cells = model(tf.cast(pixels, tf.float32) / 255.0, training=True)
            loss = tf.reduce_mean(detection_loss(targets, cells))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )
        count = tf.cast(optimizer.iterations, tf.float32)
        momentum = tf.minimum(plan.ema_momentum, (1 + count) / (10 + count))
        for mean, value in zip(average.variables, model.variables, strict=True):
            mean.assign(mean * momentum + value * (1 - momentum))
        return loss

    epochs = plan.views // plan.views_per_epoch
    mined = round(epochs * plan.mine_at) or epochs
    if epoch > mined:
        sources = restore_mined(sources, run)
    while epoch < epochs:
        if epoch == mined:
            sources = _mine(average, sources, run, tell)
        losses = [learn(*batch) for batch in draw_batches(sources, plan, epoch)]
        epoch += 1
        history.append(float(np.mean([float(loss) for loss in losses])))
        kept.save(begun, epoch, history)
        tell(f"{epoch * plan.views_per_epoch} of {plan.views} views, loss {history[-1]:.4f}")
    return average


def _mine(average: Any, sources: Sources, run: Path, tell: Any) -> Sources:
    tell("The network labels pictures and finds its mistakes.")
    with tempfile.TemporaryDirectory() as folder:
        draft = {"thresholds": [0.5], "default_level": 0, "provenance": {}}
        bundle = write_network(average, Path(folder), draft)
        mined = mine_sources(sources, NetworkDetector(bundle), CascadeDetector())
    keep_mined(mined, run)
    return mined


def load_detector(run: Path) -> Any:
    """Return the averaged Keras model of a run's last finished epoch.

    Raises:
        BadInputError: no epoch of it has finished.
    """
    path = run / STATE_FILE
    if not path.exists():
        raise BadInputError(f"{run} has no finished epoch to export.")
    arrays = np.load(run / json.loads(path.read_text())["arrays"])
    average = build_detector()
    average.set_weights([arrays[f"average-{index}"] for index in range(len(average.weights))])
    return average


class _Kept:
    """The state of a run on disk, replaced whole."""

    def __init__(self, run: Path, model: Any, average: Any, optimizer: Any) -> None:
        self.run, self.parts = run, {"model": model, "average": average}
        self.optimizer = optimizer

    def load(self, begun: dict[str, Any]) -> tuple[int, list[float]]:
        path = self.run / STATE_FILE
        if not path.exists():
            self.run.mkdir(parents=True, exist_ok=True)
            return 0, []
        state = json.loads(path.read_text())
        if state["plan"] != begun["plan"]:
            raise BadInputError(f"{self.run} was begun with another plan: {state['plan']}.")
        if state["data"] != begun["data"]:
            raise BadInputError(f"{self.run} was begun with other pictures or boxes.")
        arrays = np.load(self.run / state["arrays"])
        for name, part in self.parts.items():
            part.set_weights([arrays[f"{name}-{i}"] for i in range(len(part.weights))])
        for index, variable in enumerate(self.optimizer.variables):
            variable.assign(arrays[f"optimizer-{index}"])
        return state["epoch"], state["history"]

    def save(self, begun: dict[str, Any], epoch: int, history: list[float]) -> None:
        arrays = {
            f"{name}-{i}": value
            for name, part in self.parts.items()
            for i, value in enumerate(part.get_weights())
        }
        arrays |= {f"optimizer-{i}": np.asarray(v) for i, v in enumerate(self.optimizer.variables)}
        name = f"state-{epoch}.npz"
        with open_replacement(self.run / name) as file:
            np.savez(file, **arrays)
        state = {"epoch": epoch, "history": history, "arrays": name, **begun}
        replace_file(self.run / STATE_FILE, json.dumps(state))
        for old in self.run.glob("state-*.npz"):
            if old.name != name:
                old.unlink()
