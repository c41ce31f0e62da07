"""Settings of the whole suite: full matrix precision, strict dtypes, float64 only where a test asks for it."""

from __future__ import annotations

import jax
import pytest

jax.config.update("jax_default_matmul_precision", "highest")  # parity bounds need it on GPU and TPU


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(autouse=True)
def _strict_dtypes(request):
    """Our code never relies on implicit promotion; optax and jax.flatten_util do, so parity tests switch it off."""
    if request.node.get_closest_marker("implicit_promotion"):
        yield
        return
    with jax.numpy_dtype_promotion("strict"):
        yield


@pytest.fixture
def x64():
    """float64 for one test."""
    with jax.enable_x64(True):
        yield
