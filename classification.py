"""Where other programs look for `Classifier`. The code is in `kyara.recognition.classifier`."""

from kyara.registry.serving import ServingClassifier as Classifier

__all__ = ["Classifier"]
