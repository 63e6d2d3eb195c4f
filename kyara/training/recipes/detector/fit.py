"""How this recipe's networks learn: views drawn on the fly, AdamW with a cosine rate, averaged weights.

The whole state is kept after every epoch; a killed run goes on from there.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np

from kyara.errors import BadInputError
from kyara.storage.atomic import open_replacement, replace_file
from kyara.training.plan import ViewsPlan

STATE_FILE = "state.json"
CLIP_NORM = 5.0
PARTS = 2
"""A batch is learned in so many parts side by side: one part's small operations leave cores idle."""
Draw = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""Draws one view, `uint8 (S, S, 3)`, and what the network should say of it."""


class Fit:
    """A run in a folder: begun, or gone on with.

    Attributes:
        average: the Keras model that serves, its weights averaged over the run.
        epoch: how many are finished.
    """

    def __init__(
        self,
        build: Callable[[], Any],
        loss: Callable[[Any, Any], Any],
        plan: ViewsPlan,
        run: Path,
        data: str,
    ) -> None:
        """Build the networks, or restore them.

        Args:
            build: makes the Keras model.
            loss: targets and what the network said of a batch → the loss of each view.
            plan: how it is trained.
            run: the folder.
            data: digest of what views are drawn from.

        Raises:
            BadInputError: the run was begun with another plan or other pictures.
        """
        import keras

        keras.utils.set_random_seed(plan.seed)
        self._plan, model, self.average = plan, build(), build()
        steps = plan.views // plan.batch
        warmup = max(1, steps // 50)
        rate: Any = keras.optimizers.schedules.CosineDecay(
            plan.learning_rate / 50,
            max(1, steps - warmup),
            warmup_target=plan.learning_rate,
            warmup_steps=warmup,
        )
        optimizer = keras.optimizers.AdamW(
            rate, weight_decay=plan.weight_decay, global_clipnorm=CLIP_NORM
        )
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        optimizer.build(model.trainable_variables)
        self._kept = _Kept(run, model, self.average, optimizer)
        self._begun = {"plan": asdict(plan), "data": data}
        self.epoch, self._history = self._kept.load(self._begun)
        if self.epoch == 0:
            self.average.set_weights(model.get_weights())
        self._learn = _compile_step(model, self.average, optimizer, loss, plan.ema_momentum)

    def learn_epoch(self, draw: Draw, tell: Any) -> None:
        """Learn one epoch and keep the state."""
        plan = self._plan
        losses = [self._learn(*batch) for batch in _draw_batches(draw, plan, self.epoch)]
        self.epoch += 1
        self._history.append(float(np.mean([float(loss) for loss in losses])))
        self._kept.save(self._begun, self.epoch, self._history)
        seen = self.epoch * plan.views_per_epoch
        tell(f"{seen} of {plan.views} views, loss {self._history[-1]:.4f}")


def _compile_step(model: Any, average: Any, optimizer: Any, loss_of: Any, ema_momentum: float) -> Any:
    import tensorflow as tf

    variables = model.trainable_variables

    @tf.function(jit_compile=False)
    def learn(pixels: Any, targets: Any) -> Any:
        batch = len(pixels)
        parts = min(PARTS, batch)
        losses, gradients = [], []
        for part in range(parts):
            with tf.GradientTape() as tape:
                said = model(tf.cast(pixels[part::parts], tf.float32) / 255.0, training=True)
                losses.append(tf.reduce_sum(loss_of(targets[part::parts], said)) / batch)
            gradients.append(tape.gradient(losses[-1], variables))
        together = [tf.add_n(of_parts) for of_parts in zip(*gradients, strict=True)]
        optimizer.apply_gradients(zip(together, variables, strict=True))
        loss = tf.add_n(losses)
        count = tf.cast(optimizer.iterations, tf.float32)
        momentum = tf.minimum(ema_momentum, (1 + count) / (10 + count))
        for mean, value in zip(average.variables, model.variables, strict=True):
            mean.assign(mean * momentum + value * (1 - momentum))
        return loss

    return learn


def _draw_batches(draw: Draw, plan: ViewsPlan, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield one epoch's batches, drawn by a thread while the network learns."""
    steps = plan.views_per_epoch // plan.batch
    queue: Queue[Any] = Queue(maxsize=8)
    rng = np.random.default_rng([plan.seed, epoch])

    def fill() -> None:
        try:
            for _ in range(steps):
                pairs = [draw(rng) for _ in range(plan.batch)]
                queue.put(tuple(np.stack(part) for part in zip(*pairs, strict=True)))
        except BaseException as error:
            queue.put(error)

    threading.Thread(target=fill, daemon=True).start()
    for _ in range(steps):
        item = queue.get()
        if isinstance(item, BaseException):
            raise item
        yield item


def load_average(run: Path, build: Callable[[], Any]) -> Any:
    """Return the averaged Keras model of a run's last finished epoch.

    Raises:
        BadInputError: no epoch of it has finished.
    """
    path = run / STATE_FILE
    if not path.exists():
        raise BadInputError(f"{run} has no finished epoch to export.")
    arrays = np.load(run / json.loads(path.read_text())["arrays"])
    average = build()
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
