"""All cosines of a face to many references in less time, each off by no more than a known bound.

The references are rounded to eight bits and multiplied as a fully connected layer in LiteRT, which
reads a quarter of the bytes that float32 has. `Identities.compare_best` compares those who may be among
the best again, exactly, so rounding changes no answer.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING

import numpy as np

from kyara.vision.tracking import scale_to_unit

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

MIN_REFERENCES = 4096
"""Fewer are compared exactly in no more time."""
_LEVELS = 127
_FLOAT_ERROR = 1e-5
"""Of a cosine, by adding up in float32."""

logger = logging.getLogger(__name__)


class QuantisedReferences:
    """References in eight bits. It may be called from several threads; calls take turns."""

    def __init__(self, blocks: Sequence[np.ndarray]) -> None:
        """Note the references; they are rounded at the first search.

        Args:
            blocks: `float (n, features)` each, of any length above 0; R rows together.
        """
        self._layer = _Layer(blocks)
        self._kept: np.ndarray | None = None

    def __len__(self) -> int:
        return self._layer.count if self._kept is None else len(self._kept)

    def keep(self, kept: np.ndarray) -> QuantisedReferences:
        """Return these without some references.

        Args:
            kept: `bool (R,)`.
        """
        fewer = copy(self)
        fewer._kept = np.flatnonzero(kept) if self._kept is None else self._kept[kept]
        return fewer

    def measure_cosines(self, unit: np.ndarray) -> tuple[np.ndarray, float] | None:
        """Return the cosines, and by how much each may be off at most.

        Args:
            unit: `float32 (N, features)`, unit length.

        Returns:
            `float32 (N, R)`, and the bound; None if the layer cannot be made, which is logged.
        """
        found = self._layer.run(unit)
        if found is None or self._kept is None:
            return found
        return found[0][:, self._kept], found[1]


class _Layer:
    """The fully connected layer, made when it is first run.

    Attributes:
        count: its references.
    """

    def __init__(self, blocks: Sequence[np.ndarray]) -> None:
        self.count = sum(map(len, blocks))
        self._blocks: Sequence[np.ndarray] = blocks
        self._prepared: tuple[Interpreter, float] | None = None
        self._turn = threading.Lock()

    def run(self, unit: np.ndarray) -> tuple[np.ndarray, float] | None:
        with self._turn:
            if self._blocks:
                self._prepared = _prepare(self._blocks)
                self._blocks = ()
            if self._prepared is None:
                return None
            interpreter, weight_error = self._prepared
            given = interpreter.get_input_details()[0]["index"]
            made = interpreter.get_output_details()[0]["index"]
            cosines = np.empty((len(unit), self.count), np.float32)
            for row, found in zip(unit, cosines, strict=True):
                interpreter.set_tensor(given, row[None])
                interpreter.invoke()
                found[:] = interpreter.get_tensor(made)[0]
        # LiteRT rounds the face, too: each number by no more than one of 254 steps, whatever the kernel.
        steps = (np.maximum(unit.max(axis=1), 0) - np.minimum(unit.min(axis=1), 0)) / (2 * _LEVELS)
        face_error = float(steps.max(initial=0)) * np.sqrt(unit.shape[1])
        # |a·b - a'·b'| ≤ |a| |b - b'| + |a - a'| |b'|, with |a| = 1
        return cosines, weight_error + face_error * (1 + weight_error) + _FLOAT_ERROR


def _prepare(blocks: Sequence[np.ndarray]) -> tuple[Interpreter, float] | None:
    """Return the layer, and the largest length of what rounding took from a reference.

    None, with a line in the log, if there is no room for it.
    """
    from ai_edge_litert.interpreter import Interpreter
    from flatbuffers.builder import BuilderSizeError

    try:
        references = np.concatenate([scale_to_unit(block.astype(np.float32)) for block in blocks])
        scales = np.maximum(np.abs(references).max(axis=1), 1e-12) / _LEVELS
        rounded = np.rint(references / scales[:, None])
        references -= rounded * scales[:, None]
        content = _write_layer(rounded.astype(np.int8), scales.astype(np.float32))
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    except (MemoryError, RuntimeError, ValueError, BuilderSizeError) as error:
        count = sum(map(len, blocks))
        logger.warning("%d references are not searched in eight bits: %s", count, error)
        return None
    return interpreter, float(np.linalg.norm(references, axis=1).max())


def _write_layer(weights: np.ndarray, scales: np.ndarray) -> bytes:
    """Write a LiteRT file: one fully connected layer, `float32 (1, features)` → `float32 (1, R)`.

    Args:
        weights: `int8 (R, features)`.
        scales: `float32 (R,)`, what each row's steps are worth.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    count, features = weights.shape
    quantisation = schema.QuantizationParametersT(
        scale=scales, zeroPoint=np.zeros(count, np.int64), quantizedDimension=0
    )
    tensors = [
        schema.TensorT(name="face", shape=[1, features], type=schema.TensorType.FLOAT32, buffer=0),
        schema.TensorT(
            name="references",
            shape=[count, features],
            type=schema.TensorType.INT8,
            buffer=1,
            quantization=quantisation,
        ),
        schema.TensorT(name="cosines", shape=[1, count], type=schema.TensorType.FLOAT32, buffer=0),
    ]
    kind = schema.BuiltinOperator.FULLY_CONNECTED
    layer = schema.OperatorT(
        opcodeIndex=0,
        inputs=[0, 1, -1],
        outputs=[2],
        builtinOptionsType=schema.BuiltinOptions.FullyConnectedOptions,
        builtinOptions=schema.FullyConnectedOptionsT(asymmetricQuantizeInputs=True),
    )
    model = schema.ModelT(
        version=3,
        operatorCodes=[schema.OperatorCodeT(builtinCode=kind, deprecatedBuiltinCode=kind, version=12)],
        buffers=[schema.BufferT(), schema.BufferT(data=weights.view(np.uint8).ravel())],
        subgraphs=[schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[2], operators=[layer])],
    )
    builder = flatbuffers.Builder(weights.nbytes + 16 * count + 65_536)  # it grows by doubling
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
