"""mlp_opt: train and understand multilayer perceptrons and their optimizers, on JAX.

The public names are listed in __init__.pyi and imported when they are first used: `import mlp_opt`
imports no jax, and importing everything starts no device.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"
