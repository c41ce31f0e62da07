"""A tile: a few lanes of one bucket, vmapped, trained by one compiled call on one core or device.

The same `lane.init`, `lane.advance` and `lane.evaluate` as `train.fit`, under vmap. A tile always has the same
number of lanes (a short one is filled up with copies of its last), so a bucket is compiled once. On one machine a
lane's bits depend on the number of lanes in its tile but not on its place nor on its neighbours (a test holds that).
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

from .. import lane
from ..compiled import CPU_OPTIONS, jit
from ..lane import HISTORY_ROWS, Data, HParams, LaneSpec, LaneState
from ..model import MLP, Params
from ..store import files
from .plan import Bucket

LARGEST = {"cpu": 32, "gpu": 2048, "tpu": 1024}  # lanes in a tile
CACHE_BYTES = {"cpu": 11 * 2**18, "gpu": 2**31, "tpu": 2**31}  # what the lanes of a tile may move each step
FLOPS = {"cpu": 2.5e10, "gpu": 1e13, "tpu": 1e12}  # a second and worker, to tell large buckets from small; of the GPU an H200's
STEP_S = {"cpu": 1e-5, "gpu": 4e-5, "tpu": 4e-5}  # at least, however small the networks
TURNS = 0.06  # what tiles that take turns cost more
USUAL = 4  # lanes in the tiles of small sweeps: with few sizes, more sweeps find their programs in the cache,
COMPILE_S = 1.0  # which is worth that much training
MEASURE_ABOVE_S = 20.0  # where a bucket takes longer than this, a few tile sizes are tried first


def _axes(shared_order: bool) -> HParams:
    axes: dict[str, Any] = dict.fromkeys(HParams._fields, 0)
    return HParams(**axes | {"data_seed": None if shared_order else 0})


def init_tile(spec: LaneSpec, shared_order: bool, hparams: HParams) -> LaneState:
    """`lane.init` of every lane, as two programs: the weights' serves every bucket with this network."""
    return _begin_tile(shared_order, hparams, _draw_tile(spec.model, spec.dtype, hparams.seed, hparams.init_scale))


@partial(jit, static_argnums=(0, 1))
def _draw_tile(model: MLP, dtype: str, seed: Any, init_scale: Any) -> Params:
    return jax.vmap(lambda s, scale: lane.draw(model, dtype, s, scale))(seed, init_scale)


@partial(jit, static_argnums=0)
def _begin_tile(shared_order: bool, hparams: HParams, params: Params) -> LaneState:
    return jax.vmap(lane.begin, in_axes=(_axes(shared_order), 0))(hparams, params)


@partial(jit, static_argnums=(0, 1), donate_argnums=2)
def advance_tile(
    spec: LaneSpec, shared_order: bool, state: LaneState, hparams: HParams, data: Data, first: Any, until: Any
) -> tuple[LaneState, Any, Any]:
    """`lane.advance` of every lane: (state, history (lanes, HISTORY_ROWS, columns), which lanes still run)."""

    def go(state: LaneState, hparams: HParams) -> tuple[LaneState, Any, Any]:
        state, history = lane.advance(spec, state, hparams, data, first, until)
        return state, history, lane.running(state, hparams)

    return jax.vmap(go, in_axes=(0, _axes(shared_order)))(state, hparams)


@partial(jit, static_argnums=0)
def evaluate_tile(model: MLP, params: Params, X: Any, y: Any) -> tuple[Any, Any]:
    """(loss, score) of every lane's parameters on the same data, each (lanes,)."""
    return jax.vmap(lambda p: lane.evaluate(model, p, X, y))(params)


def filled(lanes: tuple[int, ...], size: int) -> tuple[int, ...]:
    """The lanes, and copies of the last up to `size`."""
    return lanes + (lanes[-1],) * (size - len(lanes))


def guess(bucket: Bucket, platform: str) -> int:
    """A tile size from the bytes that a lane moves in a step: parameters, gradient, optimizer's state, activations."""
    spec, sizes = bucket.spec, bucket.spec.model.sizes
    weights = sum(a * b for a, b in pairwise(sizes))
    bytes_a_lane = jnp.dtype(spec.dtype).itemsize * (4 * weights + spec.batch_size * sum(sizes[1:]))
    size = 2 ** round(math.log2(max(CACHE_BYTES.get(platform, 2**21) / bytes_a_lane, 1)))
    return int(min(max(size, 2), LARGEST.get(platform, 32)))


def powers(most: int) -> list[int]:
    """1, 2, 4, ... up to `most`: so few sizes that sweeps of other sizes find the same programs in the cache."""
    return [2**k for k in range(most.bit_length())]


def fitting(sizes: list[int], stages: list[tuple[int, int]], workers: int, groups: int = 1) -> int:
    """The tile size of these with which the workers end first: see `cost`. Of equals the largest."""
    return min(sizes, key=lambda size: (cost(size, stages, workers, groups), -size))


def cost(size: int, stages: list[tuple[int, int]], workers: int, groups: int = 1) -> float:
    """Until the workers end, in epochs of a lane, with all (lanes, epochs) of so many groups alike in tiles of this size.

    A tile, filled or not, costs its lanes and one more. Tiles that are no multiple of the workers take turns, for a little more.
    """
    tiles = [groups * -(lanes // -size) for lanes, _ in stages]
    rounds = [max(1.0, n / workers * (1 + TURNS * (n % workers > 0))) for n in tiles]
    return sum(n * epochs * (size + 1) for n, (_, epochs) in zip(rounds, stages, strict=True))


def choose(
    bucket: Bucket,
    stages: list[tuple[int, int]],
    folds: int,
    buckets: int,
    workers: int,
    platform: str,
    seconds: Callable[[int], float],
    rows: int,
) -> int:
    """The tile size of a bucket: remembered, or measured where the bucket is large, or guessed.

    On a CPU it is such that the workers end together, and a usual one in a small sweep, where no other would save as much
    training as a program that is in the cache does.
    stages: (lanes of one fold, epochs) of each rung. buckets: how many there are, whose tiles train beside these.
    seconds(T): measured seconds a lane and epoch in tiles of T.
    """
    most = LARGEST.get(platform, 32)
    if platform != "cpu":  # there a small tile costs as much as a large one
        most = min(most, 2 ** (-(-max(lanes for lanes, _ in stages) // workers) - 1).bit_length())
    first = min(guess(bucket, platform), most)
    key, known = _key(bucket, workers, platform), _remembered()
    tried = sorted({min(max(1, round(first * f)), most) for f in (0.25, 1, 4)})
    fills = folds * max(lanes for lanes, _ in stages) >= workers * tried[-1]  # else it would train more to measure than it has to
    work = flops(bucket.spec.model, rows) * folds * sum(lanes * epochs for lanes, epochs in stages)
    if key not in known and fills and work / FLOPS.get(platform, 1e10) / workers >= MEASURE_ABOVE_S:
        took = {size: seconds(size) for size in tried}
        known[key] = max(size for size in took if took[size] <= 1.05 * min(took.values()))  # as good: fewer tiles have less around them
        _remember(key, known[key])
    size = min(int(known.get(key, first)), most)
    if platform != "cpu":
        return size
    groups = folds * buckets
    usual, best = (fitting(sizes, stages, workers, groups) for sizes in ([min(USUAL, size), size], powers(size)))
    more = cost(usual, stages, workers, groups) - cost(best, stages, workers, groups)
    return usual if more * epoch_s(bucket.spec, 1, rows, platform) < COMPILE_S * buckets else best


def flops(model: MLP, rows: int) -> float:
    """Of the matrix products of an epoch of one lane, about: forward, and twice as many back."""
    return 6.0 * rows * sum(a * b for a, b in pairwise(model.sizes))


def epoch_s(spec: LaneSpec, size: int, rows: int, platform: str) -> float:
    """Seconds of an epoch of a tile, about."""
    products = flops(spec.model, rows) * size / FLOPS.get(platform, 1e10)
    return max(products, rows / spec.batch_size * STEP_S.get(platform, 1e-5))


def timed(bucket: Bucket, shared_order: bool, hparams: HParams, data: Data, workers: int, pool: Any) -> float:
    """Seconds a lane and epoch when `workers` tiles train at the same time, compilation apart."""
    lanes = len(hparams.seed)

    def epochs(n: int) -> float:
        state = init_tile(bucket.spec, shared_order, hparams)
        start = time.perf_counter()
        jax.block_until_ready(advance_tile(bucket.spec, shared_order, state, hparams, data, 0, n))
        return time.perf_counter() - start

    epochs(1)
    n = int(min(max(0.2 / max(epochs(1), 1e-4), 1), HISTORY_ROWS))
    return min(max(pool.map(lambda _: epochs(n), range(workers))) for _ in range(2)) / (n * lanes)


def _key(bucket: Bucket, workers: int, platform: str) -> str:
    """What a measured tile size holds for."""
    spec = bucket.spec
    kind = jax.devices()[0].device_kind
    return f"{platform} {kind} x{workers} jaxlib {jaxlib.__version__} {CPU_OPTIONS}: {bucket.name} {spec.dtype} {spec.model.activations[0]}"


def _memory() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return home / "mlp_opt" / "tiles.json"


def _remembered() -> dict[str, int]:
    try:
        known = json.loads(_memory().read_text())
        return {k: v for k, v in known.items() if type(v) is int and v >= 1} if isinstance(known, dict) else {}
    except (OSError, ValueError, RuntimeError):
        return {}


def _remember(key: str, size: int) -> None:
    try:
        _memory().parent.mkdir(parents=True, exist_ok=True)
        files.write(_memory(), json.dumps(_remembered() | {key: size}, indent=1) + "\n")
    except (OSError, RuntimeError):  # no home to write to: measure again next time
        return


def fetched(tree: Any) -> Any:
    """The arrays as NumPy arrays."""
    return jax.tree.map(np.asarray, tree)


def picked(tree: Any, places: list[int]) -> list[list[np.ndarray]]:
    """The leaves of the lanes at these places of a tile, for each place. From a GPU nothing else is moved; on a CPU nothing is."""
    leaves = jax.tree.leaves(tree)
    if places and not _in_memory(leaves[0]):
        size = 2 ** (len(places) - 1).bit_length()  # powers of 2: few programs
        leaves, places = _taken(leaves, np.asarray(filled(tuple(places), size))), list(range(len(places)))
    arrays = [np.asarray(leaf) for leaf in leaves] if places else []
    return [[array[place].copy() for array in arrays] for place in places]


def _in_memory(leaf: Any) -> bool:
    return leaf.devices().pop().platform == "cpu"


@jit
def _taken(leaves: list[Any], places: Any) -> list[Any]:
    return [leaf[places] for leaf in leaves]


def on(device: Any, tree: Any) -> Any:
    """The arrays on the device."""
    return jax.device_put(tree, device)
