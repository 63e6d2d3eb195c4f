"""A run's checkpoint: the model after its last finished epoch, and the history that names it.

    run/plan.json       whose run it is
    run/history.json    what each finished epoch measured
    run/epoch-N.keras   the model after N epochs: weights, their moving average, optimizer

Each is written beside the old one and renamed into place, so a kill costs at most the epoch it hits.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from kyara.errors import BadInputError
from kyara.storage.atomic import replace_file

HISTORY_FILE = "history.json"

History = list[dict[str, float]]
"""What each finished epoch measured, by name."""


def read_history(run: Path) -> History:
    """Return what the finished epochs of a run measured; nothing before the first."""
    path = run / HISTORY_FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def find_checkpoint(run: Path) -> Path:
    """Return the model file of a run's last finished epoch.

    Raises:
        BadInputError: no epoch of it has finished.
    """
    path = run / f"epoch-{len(read_history(run))}.keras"
    if not path.is_file():
        raise BadInputError(f"{run} is not a run with a finished epoch: there is no {path.name}.")
    return path


def load_checkpoint(run: Path) -> tuple[Any, History] | None:
    """Load the model after a run's last finished epoch, and its history; None before the first."""
    import keras

    from kyara.training import losses, networks  # noqa: F401  register what the file names

    history = read_history(run)
    return (keras.models.load_model(find_checkpoint(run)), history) if history else None


def keep_epochs(run: Path, history: History) -> Any:
    """Return a Keras callback that keeps every finished epoch.

    It writes the model first, then the history that names it, then drops the older model.

    Args:
        run: folder of the run.
        history: of the epochs before; grows with each.
    """
    import keras

    def keep(epoch: int, logs: dict[str, float] | None) -> None:
        history.append({name: float(value) for name, value in (logs or {}).items()})
        partial = run / "partial.keras"
        callback.model.save(partial)
        os.replace(partial, run / f"epoch-{epoch + 1}.keras")
        replace_file(run / HISTORY_FILE, json.dumps(history, indent=1))
        (run / f"epoch-{epoch}.keras").unlink(missing_ok=True)

    callback: Any = keras.callbacks.LambdaCallback(on_epoch_end=keep)
    return callback


def apply_average(model: Any) -> None:
    """Put the moving average of the weights, where the optimizer keeps one, in the weights' place.

    `fit` does so at its end; a model that was loaded after its last epoch needs it once more.
    """
    if model.optimizer is not None and model.optimizer.use_ema:
        model.optimizer.finalize_variable_values(model.trainable_variables)
