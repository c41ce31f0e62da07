"""Settings of the whole suite: full matrix precision, strict dtypes, float64 only where a test asks for it."""

from __future__ import annotations

import os
import tempfile

import jax
import pytest

jax.config.update("jax_default_matmul_precision", "highest")  # parity bounds need it on GPU and TPU


def pytest_configure(config):
    """Compiled programs in a new folder, for this session only: its workers and the processes that tests start share it.

    What is compiled is the same as without it; what was compiled once is not compiled again by another process.
    """
    if not hasattr(config, "workerinput"):
        folder = tempfile.TemporaryDirectory(prefix="mlp_opt-tests-", ignore_cleanup_errors=True)
        config.add_cleanup(folder.cleanup)
        os.environ |= {"JAX_COMPILATION_CACHE_DIR": folder.name, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


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


@pytest.fixture(scope="session")
def made_runs(tmp_path_factory):
    """(a folder of small runs of every kind, the sweep among them), made once for all tests of the pages that show them."""
    import made_runs as making

    root = tmp_path_factory.mktemp("runs")
    return root, making.make(root)


@pytest.fixture(scope="module")
def url():
    """The live page's address, served in a thread of the test."""
    from serving import serving

    with serving() as address:
        yield address


@pytest.fixture(scope="module")
def chromium():
    """A headless browser with an empty page."""
    from browser import Browser

    opened = Browser()
    yield opened
    opened.close()
