"""What all update rules share: the (init, update) pair, counters, learning rates, one rule a leaf.

A rule is a pair of pure functions with optax's contract (that of `optax.GradientTransformationExtraArgs`):

    state          = init(params)                          zeros shaped like params
    updates, state = update(grads, state, params)          w <- w + updates

Both are Bound, so the pair is a pytree: its numbers (learning rate, betas, epsilon) may be traced,
stacked and vmapped; its flags are static. Accumulators are at least float32 whatever the dtype of
the parameters (0.999 is 1 in bfloat16: a second moment kept there never decays), arithmetic is done
in the accumulators' dtype, and updates come back in the gradient's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from ..bound import Bound, Number, cast, widen

Schedule = Callable[[Any], Any]
Rate = Number | Schedule


class Optimizer(NamedTuple):
    """The pair. optax's chain and wrappers take it as one of their own; to import optax for its class alone costs 0.2 s and 5 MB."""

    init: Any
    update: Any


def as_pytree(optimizer: Any) -> Optimizer:
    """Any (init, update) pair, optax's included, as a pytree; its plain functions become static."""
    return Optimizer(*(f if isinstance(f, Bound) else Bound(f) for f in optimizer))


def apply_updates(params: PyTree, updates: PyTree) -> PyTree:
    """w <- w + u, leaf by leaf, in the dtype of w."""
    return jax.tree.map(lambda w, u: (w + u).astype(w.dtype), params, updates)


def accumulator(params: PyTree, fill: Any = 0.0, dtype: Any = None) -> PyTree:
    """Arrays full of `fill`, shaped like `params` (ShapeDtypeStruct will do); at least float32, or `dtype`."""

    def full(w: Any) -> Array:
        kind = widen(w.dtype) if dtype is None else dtype
        return jnp.full(w.shape, cast(fill, kind), kind)

    return jax.tree.map(full, params)


def zero_count() -> Int[Array, ""]:
    """t = 0, the number of updates made."""
    return jnp.zeros((), jnp.int32)


def increment(t: Int[Array, ""]) -> Int[Array, ""]:
    """t + 1, staying at the largest int32 instead of wrapping round."""
    return jnp.where(t < jnp.iinfo(jnp.int32).max, t + 1, t)


def rate(value: Any, t: Int[Array, ""]) -> Any:
    """A number as it is, a schedule at step t (the first update has t = 0)."""
    return value(t) if callable(value) else value


def leafwise(rule: Callable[..., Any], grads: PyTree, *state: PyTree, reads: tuple[PyTree, ...] = (), **numbers: Any) -> tuple[PyTree, ...]:
    """Apply `rule(g, *state_leaves, *read_leaves, **numbers) -> (u, *new_state_leaves)` to every leaf.

    Returns the trees (u, *new_state). Leaves and `numbers` reach the rule in one dtype, the widest of
    float32, the gradient and the rest; the update goes back in the gradient's dtype and each new leaf
    in the dtype of the one that it replaces.
    """
    flat, structure = jax.tree.flatten(grads)
    treedef: Any = structure
    columns = [treedef.flatten_up_to(tree) for tree in (*state, *reads)]
    results: list[list[Any]] = [[] for _ in range(1 + len(state))]
    for i, g in enumerate(flat):
        leaves = [column[i] for column in columns]
        dtype = widen(*(x.dtype for x in (g, *leaves)))
        wide = [jnp.asarray(x, dtype) for x in (g, *leaves)]
        new = rule(*wide, **{name: cast(x, dtype) for name, x in numbers.items()})
        for result, leaf, old in zip(results, new, (g, *leaves[: len(state)]), strict=True):
            result.append(leaf.astype(old.dtype))
    return tuple(treedef.unflatten(result) for result in results)


def decay_mask(mask: Any, params: PyTree) -> PyTree:
    """1 where weight decay applies and 0 elsewhere: mask is None (everywhere), a (prefix) tree of bools, or params -> one."""
    if params is None:
        raise ValueError("weight decay needs the parameters: update(grads, state, params)")
    mask = True if mask is None else mask(params) if callable(mask) else mask
    return jax.tree.map(lambda m: jnp.asarray(m, jnp.float32), jax.tree.broadcast(mask, params))
