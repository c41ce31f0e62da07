"""A trained model as an ONNX model, its encoder included: rows as they come in, predictions in the units of the data out.

Inputs: for a model of numbers alone one, "rows" (n, features) float64; else one a column, by its name (`input_name`), (n, 1):
numbers float64 (NaN where missing), categories text ("" where missing). Outputs: "prediction", the class's name (n,) or the values
(n, targets) float64, and of classes "probabilities" (n, classes) float32. Dates and free text have no ONNX operators
that compute the same; a model that reads them can be exported without its encoder (`to_onnx`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.encode import Category, Encoder, Numbers
from ..errors import InputError
from ..store.model_files import TrainedModel
from .onnx_export import import_onnx, to_onnx

DOUBLE, FLOAT, INT64, STRING, BOOL = 11, 1, 7, 8, 9  # onnx.TensorProto


def trained_to_onnx(trained: TrainedModel) -> bytes:
    """The bytes of an ONNX file. InputError if onnx is missing, or the model reads dates or text or is an ensemble."""
    if not isinstance(trained, TrainedModel):
        raise InputError("an ensemble is several networks; export its best model alone")
    other = [name for name, kind in zip(trained.encoder.features, trained.encoder.kinds, strict=True) if kind in ("date", "text")]
    if other:
        raise InputError(f"ONNX cannot express how column {other[0]!r} is encoded (a date or free text); export the network alone")
    graph = _Nodes(import_onnx())
    inputs = _encoder(graph, trained.encoder)
    outputs = _predictions(graph, trained)
    return to_onnx(
        trained.model, trained.params, inputs=inputs, before=graph.before, after=graph.after, outputs=outputs, constants=graph.constants
    )


class _Nodes:
    """Nodes before and after the network, and the constants that they read."""

    def __init__(self, onnx: Any):
        self.helper, self.numpy_helper = onnx.helper, onnx.numpy_helper
        self.before: list[Any] = []
        self.after: list[Any] = []
        self.constants: list[Any] = []
        self.nodes = self.before

    def op(self, kind: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any) -> str:
        name = name or f"made_{len(self.before)}_{len(self.after)}"
        self.nodes.append(self.helper.make_node(kind, list(inputs), [name], name=f"node_{name}", domain=domain, **attributes))
        return name

    def constant(self, value: Any) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.numpy_helper.from_array(np.ascontiguousarray(value).reshape(np.shape(value)), name))
        return name

    def value(self, name: str, kind: int, *shape: Any) -> Any:
        return self.helper.make_tensor_value_info(name, kind, ["n", *shape])


def input_name(column: str) -> str:
    """The input's name: the column's, with column_ before it where it would be taken for a part of the graph."""
    taken = column in ("X", "y_hat", "prediction", "probabilities", "rows", "")
    return (
        f"column_{column}"
        if taken or column.startswith(("column_", "made_", "node_", "constant_", "layer", "number_", "make_"))
        else column
    )


def _encoder(g: _Nodes, encoder: Encoder) -> list[Any]:
    """The nodes that make "X", and the inputs that they read."""
    names = [n for n, kind in zip(encoder.features, encoder.kinds, strict=True) if kind == "number"]
    blocks = []
    if encoder.plain:
        inputs = [g.value("rows", DOUBLE, len(names))]
        blocks.append(_numbers(g, encoder.numbers, "rows"))
    else:
        kinds = {input_name(n): kind for n, kind in zip(encoder.features, encoder.kinds, strict=True)}
        inputs = [g.value(name, DOUBLE if kind == "number" else STRING, 1) for name, kind in kinds.items()]
        if names:
            blocks.append(_numbers(g, encoder.numbers, g.op("Concat", *map(input_name, names), axis=1)))
        blocks += [_category(g, block) for block in encoder.categories]
    if encoder.pad:
        zeros = g.op(
            "Mul", g.op("Slice", blocks[0], *map(g.constant, np.array([[0], [1], [1]]))), g.constant(np.zeros((1, encoder.pad), np.float32))
        )
        blocks.append(zeros)
    g.op("Concat", *blocks, name="X", axis=1)
    return inputs


def _numbers(g: _Nodes, numbers: Numbers, x: str) -> str:
    """As `Numbers.__call__`, in float64, then float32."""
    missing = g.op("IsNaN", x)
    out = g.op("Where", missing, g.constant(numbers.fill), x)
    out = g.op("Div", g.op("Sub", out, g.constant(numbers.shift)), g.constant(numbers.scale))
    if np.isfinite(numbers.limit):
        out = g.op("Min", g.op("Max", out, g.constant(np.float64(-1e100))), g.constant(np.float64(1e100)))
        part = g.op("Div", out, g.constant(np.float64(numbers.limit)))
        out = g.op("Div", out, g.op("Sqrt", g.op("Add", g.op("Mul", part, part), g.constant(np.float64(1)))))
    out = g.op("Cast", out, to=FLOAT)
    if not numbers.flagged:
        return out
    flags = g.op("Gather", g.op("Cast", missing, to=FLOAT), g.constant(np.array(numbers.flagged, np.int64)), axis=1)
    return g.op("Concat", out, flags, axis=1)


def _category(g: _Nodes, block: Category) -> str:
    """A place for each value; a place past the end, which OneHot leaves all zeros, for what has none."""
    other = len(block.values) if block.rare else block.width
    places = {value: i for i, value in enumerate(block.values)} | {"": block.width - 1 if block.missing else other}
    at = g.op(
        "LabelEncoder", input_name(block.name), domain="ai.onnx.ml",
        keys_strings=list(places), values_int64s=list(places.values()), default_int64=other,
    )  # fmt: skip
    flat = g.op("Reshape", at, g.constant(np.array([-1], np.int64)))
    return g.op("OneHot", flat, g.constant(np.array(block.width, np.int64)), g.constant(np.array([0, 1], np.float32)), axis=1)


def _predictions(g: _Nodes, trained: TrainedModel) -> list[Any]:
    """The nodes that read "y_hat", and the outputs that they make."""
    g.nodes = g.after
    if trained.task == "regression":
        values = g.op("Mul", g.op("Cast", "y_hat", to=DOUBLE), g.constant(trained.encoder.y_scale))
        g.op("Add", values, g.constant(trained.encoder.y_shift), name="prediction")
        return [g.value("prediction", DOUBLE, len(trained.targets))]
    if trained.task == "multilabel":
        g.op("Cast", g.op("Greater", "y_hat", g.constant(np.float32(0.5))), name="prediction", to=INT64)
        g.op("Identity", "y_hat", name="probabilities")
        return [g.value("prediction", INT64, len(trained.targets)), g.value("probabilities", FLOAT, len(trained.targets))]
    chances = "y_hat"
    if trained.task == "binary":
        chances = g.op("Concat", g.op("Sub", g.constant(np.float32(1)), "y_hat"), "y_hat", axis=1)
    g.op("Identity", chances, name="probabilities")
    best = g.op("ArgMax", chances, axis=1, keepdims=0)
    g.op(
        "LabelEncoder", best, name="prediction", domain="ai.onnx.ml",
        keys_int64s=list(range(len(trained.classes))), values_strings=list(trained.classes), default_string="",
    )  # fmt: skip
    return [g.value("prediction", STRING), g.value("probabilities", FLOAT, len(trained.classes))]
