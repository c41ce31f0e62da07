"""Parameters to and from flax, torch and equinox: the same numbers in the names and layouts that each expects.

    ours      Layer(W (n_out, n_in), b (n_out,)), one a layer
    flax      {"params": {"Dense_0": {"kernel": W.T, "bias": b}, "Dense_1": ...}}  (flax.linen)
    torch     {"0.weight": W, "0.bias": b, "2.weight": ...}  torch.nn.Sequential(Linear, activation, Linear, ...)
    equinox   equinox.nn.MLP, whose layers[l - 1].weight is W and .bias is b

Neither flax nor torch is imported: both take and give dictionaries of arrays. What a network does between its weights
is not in its parameters, so the other network must have the same activations: our gelu is the exact one (torch's
default; flax.linen.gelu(x, approximate=False)), leaky_relu has slope 0.01, elu alpha 1. Outputs of mse have no
activation, those of bce a sigmoid, those of softmax_cross_entropy a softmax; flax and torch networks often leave it to the loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..activations import ACTIVATIONS
from ..errors import InputError
from ..model import MLP, Layer, Params


def to_flax(model: MLP, params: Params) -> dict[str, Any]:
    """Variables of a flax.linen network of L Dense layers: `module.apply(to_flax(model, params), X)`.

    The layers are named as flax names them in a compact module, Dense_0 to Dense_{L-1}; kernels are W transposed. dtypes are kept.
    """
    _check(model, params)
    return {"params": {f"Dense_{i}": {"kernel": W.T, "bias": b} for i, (W, b) in enumerate(params)}}


def from_flax(model: MLP, variables: Mapping[str, Any]) -> Params:
    """Parameters from the variables of a flax.linen network: {"params": {"Dense_0": {"kernel", "bias"}, ...}}, or what is under "params".

    Raises InputError where a layer is missing or of another shape, or where there are others.
    """
    layers = variables.get("params", variables)
    names = [f"Dense_{i}" for i in range(model.n_layers)]
    _check_names("flax variables", layers, names)
    return _layers(
        model, "flax variables", [(f"{name}/{part}", layers[name].get(part)) for name in names for part in ("kernel", "bias")], True
    )


def to_torch_state_dict(model: MLP, params: Params, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """The state dict of a torch network, as NumPy arrays: `{k: torch.from_numpy(v) for k, v in ...items()}`.

    names: of the L linear modules, as ("fc1", "fc2"); by default "0", "2", "4", ..., those of torch.nn.Sequential(Linear,
    activation, Linear, ...). The arrays are copies and keep their dtype; bfloat16, which torch does not take from NumPy, becomes float32.
    """
    _check(model, params)
    state = {}
    for name, layer in zip(_torch_names(model, names), params, strict=True):
        for part, array in zip(("weight", "bias"), layer, strict=True):
            state[f"{name}.{part}"] = np.array(array, np.float32 if array.dtype == jnp.bfloat16 else array.dtype)
    return state


def from_torch_state_dict(model: MLP, state: Mapping[str, Any], names: Sequence[str] | None = None) -> Params:
    """Parameters from a torch state dict, of tensors on the CPU or of arrays; names as for `to_torch_state_dict`.

    Raises InputError where a weight is missing, of another shape or no array of numbers, or where there are others.
    """
    wanted = [f"{name}.{part}" for name in _torch_names(model, names) for part in ("weight", "bias")]
    _check_names("the state dict", state, wanted)
    return _layers(model, "the state dict", [(name, state[name]) for name in wanted])


def to_equinox(model: MLP, params: Params) -> Any:
    """The network as an equinox.nn.MLP: `jax.vmap(to_equinox(model, params))(X)` equals `predict(model, params, X)`.

    With softmax_cross_entropy it gives logits, to which the softmax is still to be applied: that class takes element-wise activations only.
    Raises InputError for what that class has not: hidden layers of several widths or activations, residual connections.
    """
    try:
        import equinox as eqx
    except ImportError as error:
        raise InputError("to_equinox needs equinox: pip install 'mlp-opt[interop]'") from error
    import jax

    _check(model, params)
    widths, hidden = set(model.sizes[1:-1]), set(model.activations[:-1])
    if len(widths) > 1 or len(hidden) > 1 or any(model.skips):
        raise InputError(f"equinox.nn.MLP has one width, one activation and no residual connections, which {model} has not")
    output = model.activations[-1]
    network = eqx.nn.MLP(
        model.sizes[0], model.sizes[-1], width_size=max(widths, default=1), depth=model.n_layers - 1,
        activation=ACTIVATIONS[hidden.pop()].sigma if hidden else jnp.tanh,
        final_activation=ACTIVATIONS["identity" if output == "softmax" else output].sigma, dtype=params[0].W.dtype, key=jax.random.key(0),
    )  # fmt: skip
    return eqx.tree_at(
        lambda m: [leaf for layer in m.layers for leaf in (layer.weight, layer.bias)], network, [x for l in params for x in l]
    )


def from_equinox(model: MLP, network: Any) -> Params:
    """Parameters from an equinox.nn.MLP, or from anything whose `layers` have a `weight` (n_out, n_in) and a `bias` (n_out,).

    Raises InputError where they do not fit `model`.
    """
    layers = getattr(network, "layers", ())
    if len(layers) != model.n_layers:
        raise InputError(f"{len(layers)} layers of the equinox network do not fit the {model.n_layers} layers of sizes {model.sizes}")
    parts = [(f"layers[{i}].{part}", getattr(layer, part, None)) for i, layer in enumerate(layers) for part in ("weight", "bias")]
    return _layers(model, "the equinox network", parts)


def _torch_names(model: MLP, names: Sequence[str] | None) -> Sequence[str]:
    if names is not None and len(names) != model.n_layers:
        raise InputError(f"{len(names)} names do not fit the {model.n_layers} layers of sizes {model.sizes}")
    return [str(2 * i) for i in range(model.n_layers)] if names is None else names


def _check(model: MLP, params: Params) -> None:
    shapes = [W.shape for W, _ in params]
    wanted = list(zip(model.sizes[1:], model.sizes[:-1], strict=True))
    if shapes != wanted:
        raise InputError(f"weights of shapes {shapes} do not fit sizes {model.sizes}: {wanted}")


def _check_names(where: str, found: Mapping[str, Any], wanted: Sequence[str]) -> None:
    if set(found) != set(wanted):
        raise InputError(f"{where} should hold {', '.join(wanted)}; found {', '.join(map(str, found)) or 'nothing'}")


def _layers(model: MLP, where: str, arrays: Sequence[tuple[str, Any]], transposed: bool = False) -> Params:
    """Layers from (name, array) of W and b in turn, each checked; `transposed` where W comes as (n_in, n_out)."""
    found = []
    for l in range(1, model.n_layers + 1):
        n_out, n_in = model.sizes[l], model.sizes[l - 1]
        shapes = ((n_in, n_out) if transposed else (n_out, n_in), (n_out,))
        W, b = (_array(where, *arrays[2 * (l - 1) + i], shapes[i]) for i in (0, 1))
        found.append(Layer(W.T if transposed else W, b))
    return tuple(found)


def _array(where: str, name: str, given: Any, shape: tuple[int, ...]) -> Any:
    try:
        array = jnp.asarray(given if hasattr(given, "dtype") and isinstance(given, jnp.ndarray) else np.asarray(given))
    except (TypeError, ValueError, RuntimeError) as error:  # a bfloat16 or CUDA tensor, say
        raise InputError(f"{where}: {name} cannot be read as an array ({type(error).__name__})") from error
    if array.shape != shape or not jnp.issubdtype(array.dtype, jnp.floating):
        raise InputError(f"{where}: {name} should be numbers of shape {shape}, found {array.dtype} of shape {array.shape}")
    return array
