"""A network as an ONNX model: one Gemm a layer, activations from standard operators, float32.

ONNX operator set 13 and IR version 7 (2021), which every runtime of the last years reads. Needs `pip install 'mlp-opt[onnx]'`.
The network reads a tensor "X" (rows, n_0) and makes "y_hat" (rows, n_L), the same as `predict`. Nodes that make "X" from
other inputs, an encoder of columns say, can be put before it, and nodes that read "y_hat" after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..activations import GELU_C, GELU_K, LEAKY_SLOPE
from ..errors import InputError
from ..model import MLP, Params

OPSET, IR_VERSION = 13, 7
MAX_BYTES = 2**31 - 1  # of a protocol buffer


def import_onnx() -> Any:
    """The package onnx. InputError if it is missing."""
    try:
        import onnx
    except ImportError as error:
        raise InputError("ONNX files need the package onnx: pip install 'mlp-opt[onnx]'") from error
    return onnx


class _Graph:
    """Nodes and constants as they come; `op` adds a node and gives the name of its output."""

    def __init__(self, helper: Any, numpy_helper: Any) -> None:
        self.helper, self.numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def op(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        name = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, list(inputs), [name], name=f"make_{name}", **attributes))
        return name

    def array(self, name: str, value: Any) -> str:
        self.constants[name] = self.numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name)
        return name

    def number(self, value: float) -> str:
        return self.array(f"number_{value!r}", np.float32(value))


def _step(g: _Graph, a: str) -> str:
    return g.op("Cast", g.op("Greater", a, g.number(0.0)), to=1)  # 1: float32


def _gelu(g: _Graph, a: str) -> str:  # a (1 + erf(a / sqrt 2)) / 2
    erf = g.op("Erf", g.op("Mul", a, g.number(1 / math.sqrt(2))))
    return g.op("Mul", g.op("Mul", a, g.number(0.5)), g.op("Add", erf, g.number(1.0)))


def _gelu_tanh(g: _Graph, a: str) -> str:  # a sigmoid(2 c (a + k a^3))
    cube = g.op("Mul", g.op("Mul", a, a), a)
    inner = g.op("Add", a, g.op("Mul", cube, g.number(GELU_K)))
    return g.op("Mul", a, g.op("Sigmoid", g.op("Mul", inner, g.number(2 * GELU_C))))


_SIGMA: dict[str, Callable[[_Graph, str], str]] = {
    "step": _step,
    "identity": lambda g, a: a,
    "relu": lambda g, a: g.op("Relu", a),
    "leaky_relu": lambda g, a: g.op("LeakyRelu", a, alpha=LEAKY_SLOPE),
    "elu": lambda g, a: g.op("Elu", a, alpha=1.0),
    "softplus": lambda g, a: g.op("Softplus", a),
    "sigmoid": lambda g, a: g.op("Sigmoid", a),
    "tanh": lambda g, a: g.op("Tanh", a),
    "silu": lambda g, a: g.op("Mul", a, g.op("Sigmoid", a)),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "softmax": lambda g, a: g.op("Softmax", a, axis=-1),
}


def to_onnx(
    model: MLP,
    params: Params,
    *,
    inputs: Sequence[Any] | None = None,
    before: Sequence[Any] = (),
    after: Sequence[Any] = (),
    outputs: Sequence[Any] | None = None,
    constants: Sequence[Any] = (),
) -> bytes:
    """The network as the bytes of an ONNX file: X (rows, n_0) float32 -> y_hat (rows, n_L) float32, any number of rows.

    before: onnx nodes that make "X" from `inputs` (value infos of onnx.helper); after: nodes that make `outputs` from "y_hat";
    constants: the tensors (initializers) that those nodes read. Their names must differ from the network's, which are
    layer1.W, layer1.b, ..., X, y_hat, number_... and the lower-case operator with a number. Parameters of any dtype become float32.
    The model is checked by onnx. Raises InputError if onnx is missing, the parameters do not fit, or they exceed 2 GiB.
    """
    onnx = import_onnx()
    helper = onnx.helper
    shapes = [W.shape for W, _ in params]
    if shapes != list(zip(model.sizes[1:], model.sizes[:-1], strict=True)):
        raise InputError(f"weights of shapes {shapes} do not fit sizes {model.sizes}")
    size = 4 * sum(W.size + b.size for W, b in params)
    if size > MAX_BYTES:
        raise InputError(f"{size:,} bytes of parameters do not fit an ONNX file, which may have {MAX_BYTES:,}")
    graph = _Graph(helper, onnx.numpy_helper)
    _network(graph, model, params)
    n_in, n_out = model.sizes[0], model.sizes[-1]
    inputs = [helper.make_tensor_value_info("X", onnx.TensorProto.FLOAT, ["rows", n_in])] if inputs is None else inputs
    outputs = [helper.make_tensor_value_info("y_hat", onnx.TensorProto.FLOAT, ["rows", n_out])] if outputs is None else outputs
    whole = helper.make_graph(
        [*before, *graph.nodes, *after], "mlp_opt", list(inputs), list(outputs), [*constants, *graph.constants.values()]
    )
    opsets = [helper.make_opsetid("", OPSET)] + ([helper.make_opsetid("ai.onnx.ml", 2)] if _uses_ml([*before, *after]) else [])
    made = helper.make_model(whole, opset_imports=opsets, ir_version=IR_VERSION, producer_name="mlp_opt")
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString())


def _network(g: _Graph, model: MLP, params: Params) -> None:
    """The layers of the notes: a[l] = z[l-1] W[l]^T + b[l], z[l] = sigma(a[l]), and a residual connection where the model has one."""
    z = "X"
    for l, (W, b) in enumerate(params, 1):
        weights = g.array(f"layer{l}.W", np.asarray(W, np.float32)), g.array(f"layer{l}.b", np.asarray(b, np.float32))
        out = _SIGMA[model.activations[l - 1]](g, g.op("Gemm", z, *weights, transB=1))
        z = g.op("Add", out, z) if model.skips[l - 1] else out
    g.op("Identity", z, name="y_hat")


def _uses_ml(nodes: Sequence[Any]) -> bool:
    return any(node.domain == "ai.onnx.ml" for node in nodes)
