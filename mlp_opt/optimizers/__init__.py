"""Update rules as pure (init, update) pairs, one rule a file; OPTIMIZERS names them all."""

from __future__ import annotations

from collections.abc import Callable

from .adadelta import adadelta as adadelta
from .adagrad import adagrad as adagrad
from .adam import adam as adam
from .adam import adamw as adamw
from .adam import amsgrad as amsgrad
from .adam import nadam as nadam
from .adamax import adamax as adamax
from .base import Optimizer as Optimizer
from .base import apply_updates as apply_updates
from .base import as_pytree as as_pytree
from .lion import lion as lion
from .qh import qhadam as qhadam
from .qh import qhm as qhm
from .radam import radam as radam
from .rmsprop import rmsprop as rmsprop
from .sgd import momentum as momentum
from .sgd import sgd as sgd

_RULES = (sgd, momentum, adagrad, rmsprop, adam, adamw, nadam, amsgrad, adamax, adadelta, radam, lion, qhm, qhadam)
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {rule.__name__: rule for rule in _RULES}
