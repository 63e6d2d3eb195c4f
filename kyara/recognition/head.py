"""Third stage: features → scores, by the weights of a softmax or sigmoid layer in plain NumPy."""

from __future__ import annotations

import numpy as np


def score_features(features: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return the logits of the layer.

    Args:
        features: `float32 (N, features)`.
        weight: `float32 (features, classes)`.
        bias: `float32 (classes,)`.

    Returns:
        `float32 (N, classes)`.

    Raises:
        ValueError: the shapes do not fit each other.
    """
    if features.ndim != 2 or features.shape[1] != weight.shape[0]:
        raise ValueError(f"The head takes (N, {weight.shape[0]}) features; received {features.shape}.")
    return features @ weight + bias


def softmax(scores: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Turn scores into probabilities, softened by a temperature.

    Args:
        scores: `float (N, classes)`.
        temperature: above 0; above 1 softens, below 1 sharpens.

    Returns:
        `float64 (N, classes)`, rows sum to 1.

    Raises:
        ValueError: the temperature is not above 0.

    Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """
    if not temperature > 0:
        raise ValueError(f"A temperature is above 0; received {temperature}.")
    scaled = scores.astype(np.float64) / temperature
    exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def sigmoid(scores: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Turn each score into a probability of its own, softened by a temperature.

    Args:
        scores: `float (N, classes)`.
        temperature: above 0.

    Returns:
        `float64 (N, classes)`.

    Raises:
        ValueError: the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"A temperature is above 0; received {temperature}.")
    return 0.5 * (1 + np.tanh(scores.astype(np.float64) / temperature / 2))  # never overflows
