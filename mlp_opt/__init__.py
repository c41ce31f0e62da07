"""mlp_opt: train, sweep and understand multilayer perceptrons and their optimizers, on JAX.

Importing this package starts no device.
"""

from __future__ import annotations

from . import schedules as schedules
from .activations import ACTIVATIONS as ACTIVATIONS
from .backprop import backprop as backprop
from .backprop import value_and_grad as value_and_grad
from .errors import InputError as InputError
from .initializers import INITIALIZERS as INITIALIZERS
from .lane import Data as Data
from .lane import HParams as HParams
from .lane import LaneSpec as LaneSpec
from .losses import LOSSES as LOSSES
from .model import MLP as MLP
from .model import Layer as Layer
from .model import forward as forward
from .model import init as init
from .model import loss as loss
from .model import predict as predict
from .optimizers import OPTIMIZERS as OPTIMIZERS
from .optimizers import adadelta as adadelta
from .optimizers import adagrad as adagrad
from .optimizers import adam as adam
from .optimizers import adamax as adamax
from .optimizers import adamw as adamw
from .optimizers import amsgrad as amsgrad
from .optimizers import apply_updates as apply_updates
from .optimizers import lion as lion
from .optimizers import momentum as momentum
from .optimizers import nadam as nadam
from .optimizers import qhadam as qhadam
from .optimizers import qhm as qhm
from .optimizers import radam as radam
from .optimizers import rmsprop as rmsprop
from .optimizers import sgd as sgd
from .schedules import SCHEDULES as SCHEDULES
from .train import Run as Run
from .train import evaluate as evaluate
from .train import fit as fit

__version__ = "0.1.0"
