"""`Classifier` for those who name no bundle: then it is the one that serves."""

from __future__ import annotations

from pathlib import Path

from kyara.recognition.bundle import Bundle
from kyara.recognition.classifier import Classifier
from kyara.registry import find_serving, find_taught


class ServingClassifier(Classifier):
    """A `Classifier` whose default is the model that serves, with the characters it was taught.

    `kyara.Classifier` and `classification.Classifier` are this class.
    """

    def __init__(
        self,
        bundle: Bundle | Path | None = None,
        *,
        threads: int | None = None,
        taught: Path | str | None = None,
        index_from: int | None = None,
    ) -> None:
        """Load a model.

        Args:
            bundle: a bundle or its folder; by default the one that `model/registry.json` serves.
            threads: CPU threads for the network; by default those the process may use, up to 4.
            taught: where taught characters are kept: a file, which need not exist yet, or the URL of a
                database. By default the serving model has the place of `registry.find_taught`, and a
                bundle that is given has none.
            index_from: as of `Classifier`.

        Raises:
            BundleError: no such model, or it is damaged.
        """
        if bundle is None:
            bundle, taught = find_serving(), taught or find_taught()
        super().__init__(bundle, threads=threads, taught=taught, index_from=index_from)
