"""Learning-rate schedules: step count -> learning rate, every number traceable.

Each returns a Bound, a function of the count of updates already made (0 at the first), to be given
as `learning_rate`. Argument names are optax's where optax has the schedule; optax's own versions
test some of these numbers in Python and fail when they are traced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from .bound import Bound, Number, cast


def constant(value: Number) -> Bound:
    """`value` at every step. Equals optax.constant_schedule."""
    return Bound(_constant, value=value)


def step(init_value: Number, step_size: Number, decay_rate: Number = 0.1) -> Bound:
    """Times decay_rate every step_size steps. Equals optax.exponential_decay(..., staircase=True)."""
    return Bound(_step, init_value=init_value, step_size=step_size, decay_rate=decay_rate)


def exponential(init_value: Number, transition_steps: Number, decay_rate: Number, end_value: Number = 0.0) -> Bound:
    """init_value * decay_rate^(t / transition_steps), not below end_value. Equals optax.exponential_decay for decay_rate < 1."""
    numbers = {"init_value": init_value, "transition_steps": transition_steps, "decay_rate": decay_rate}
    return Bound(_exponential, **numbers, end_value=end_value)


def cosine(init_value: Number, decay_steps: Number, alpha: Number = 0.0, exponent: Number = 1.0) -> Bound:
    """Half a cosine from init_value to alpha * init_value over decay_steps. Equals optax.cosine_decay_schedule."""
    return Bound(_cosine, init_value=init_value, decay_steps=decay_steps, alpha=alpha, exponent=exponent)


def warmup_cosine(
    init_value: Number,
    peak_value: Number,
    warmup_steps: Number,
    decay_steps: Number,
    end_value: Number = 0.0,
    exponent: Number = 1.0,
) -> Bound:
    """Linear from init_value to peak_value over warmup_steps, then half a cosine to end_value at decay_steps in all.

    Equals optax.warmup_cosine_decay_schedule; warmup_steps may be 0.
    """
    numbers = {"init_value": init_value, "peak_value": peak_value, "warmup_steps": warmup_steps}
    return Bound(_warmup_cosine, **numbers, decay_steps=decay_steps, end_value=end_value, exponent=exponent)


def one_cycle(
    transition_steps: Number,
    peak_value: Number,
    pct_start: Number = 0.3,
    div_factor: Number = 25.0,
    final_div_factor: Number = 1e4,
) -> Bound:
    """Half a cosine up from peak/div_factor, then down to peak/(div_factor final_div_factor). Equals optax.cosine_onecycle_schedule.

    The peak is at the whole step floor(pct_start * transition_steps), as in optax.
    """
    numbers = {"transition_steps": transition_steps, "peak_value": peak_value, "pct_start": pct_start}
    return Bound(_one_cycle, **numbers, div_factor=div_factor, final_div_factor=final_div_factor)


SCHEDULES: dict[str, Callable[..., Bound]] = {f.__name__: f for f in (constant, step, exponential, cosine, warmup_cosine, one_cycle)}


def _floats(count: Any, *numbers: Any) -> list[Any]:
    """The count and the numbers in one float dtype: float64 where it is enabled, else float32."""
    dtype = jnp.result_type(float)
    return [jnp.asarray(count, dtype), *(cast(x, dtype) for x in numbers)]


def _constant(count, *, value):
    (_, value) = _floats(count, value)
    return jnp.asarray(value, jnp.result_type(float))


def _step(count, *, init_value, step_size, decay_rate):
    t, init_value, step_size, decay_rate = _floats(count, init_value, step_size, decay_rate)
    return init_value * decay_rate ** jnp.floor(t / step_size)


def _exponential(count, *, init_value, transition_steps, decay_rate, end_value):
    t, init_value, T, decay_rate, end_value = _floats(count, init_value, transition_steps, decay_rate, end_value)
    return jnp.maximum(init_value * decay_rate ** (t / T), end_value)


def _half_cosine(x: Any) -> Any:
    """1 at x <= 0, falling to 0 at x >= 1."""
    return 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip(x, 0, 1)))


def _cosine(count, *, init_value, decay_steps, alpha, exponent):
    t, init_value, T, alpha, exponent = _floats(count, init_value, decay_steps, alpha, exponent)
    return init_value * ((1 - alpha) * _half_cosine(t / T) ** exponent + alpha)


def _warmup_cosine(count, *, init_value, peak_value, warmup_steps, decay_steps, end_value, exponent):
    t, start, peak, warmup, T, end, exponent = _floats(count, init_value, peak_value, warmup_steps, decay_steps, end_value, exponent)
    rising = start + (peak - start) * t / jnp.maximum(warmup, 1)
    falling = end + (peak - end) * _half_cosine((t - warmup) / (T - warmup)) ** exponent
    return jnp.where(t < warmup, rising, falling)


def _one_cycle(count, *, transition_steps, peak_value, pct_start, div_factor, final_div_factor):
    t, T, peak, pct, div, final_div = _floats(count, transition_steps, peak_value, pct_start, div_factor, final_div_factor)
    top = jnp.floor(pct * T)
    start, end = peak / div, peak / (div * final_div)
    rising = peak + (start - peak) * _half_cosine(t / jnp.maximum(top, 1))
    falling = end + (peak - end) * _half_cosine((t - top) / (T - top))
    return jnp.where(t < top, rising, falling)
