"""MLPSweepCV: scikit-learn's search with cross-validation, its fits trained together."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, ClassVar

import jax
import numpy as np
from joblib import effective_n_jobs, parallel_config
from joblib.parallel import FallbackToBackend, ParallelBackendBase, SequentialBackend
from sklearn.model_selection import ParameterGrid, ParameterSampler, RandomizedSearchCV

from ..errors import InputError
from ..sweeps.engine import cores
from .meeting import Meeting
from .shared import BaseMLP

MOST = 1024  # fits under way at the same time, each a thread
BYTES = 2**32  # what their samples may take


class MLPSweepCV(RandomizedSearchCV):
    """A search over hyperparameters with cross-validation, whose candidates and folds are trained together.

    A drop-in for sklearn.model_selection.RandomizedSearchCV and, with n_iter=None, GridSearchCV, over MLPClassifier and
    MLPRegressor of mlp_opt: alone, or inside a Pipeline or another estimator that fits them. It is scikit-learn's
    search; only where a fit would train its network, it waits for the others, and networks of one shape on the same
    fold are trained as vmapped lanes, in tiles on all cores. Each takes the steps that it would take alone, from the
    same weights, and stops where it would: results differ from GridSearchCV's by rounding. Give the estimator a
    random_state: so the lanes of a fold see their samples in one order, which is faster too.

    Faster is what shares a program: numbers (alpha, learning_rate_init, beta_1, tol ...) cost nothing, each network,
    solver, activation and batch size is compiled once. The solver "lbfgs" takes its turn, one fit after the other.
    The steps of a Pipeline before the network are fitted for every candidate, unless it has a `memory`.

    estimator: one of ours, or one that holds one of ours.
    param_distributions: as in RandomizedSearchCV, lists or distributions with rvs; a list of such dictionaries.
    n_iter: candidates drawn; None: all of them, as GridSearchCV, and then there may be only lists.
    n_jobs: tiles trained at the same time; None or -1: one a core.
    scoring, refit, cv, verbose, random_state, error_score, return_train_score, and fit's parameters (sample_weight, groups,
        ...): as in RandomizedSearchCV. A fit that fails, as one that diverges, gets error_score and a warning.

    Attributes: RandomizedSearchCV's: cv_results_, best_params_, best_score_, best_index_, best_estimator_, refit_time_, scorer_,
    n_splits_, multimetric_, classes_, n_features_in_, feature_names_in_. mean_fit_time is the time until a fit was
    done, which its waiting for others is part of.

    Raises InputError (a ValueError) for an estimator without one of ours.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **RandomizedSearchCV._parameter_constraints,
        "n_iter": [*RandomizedSearchCV._parameter_constraints["n_iter"], None],
    }

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: Any = 10,
        scoring: Any = None,
        n_jobs: Any = None,
        refit: Any = True,
        cv: Any = None,
        verbose: Any = 0,
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: Any = False,
    ):
        super().__init__(
            estimator, param_distributions, n_iter=n_iter, scoring=scoring, n_jobs=n_jobs, refit=refit, cv=cv, verbose=verbose,
            pre_dispatch="all", random_state=random_state, error_score=error_score, return_train_score=return_train_score,
        )  # fmt: skip

    def fit(self, X: Any, y: Any = None, **params: Any) -> MLPSweepCV:
        """Search, and fit best_estimator_ on all samples: X (n, n_features), y and params as the estimator's fit takes them."""
        if not any(isinstance(part, BaseMLP) for part in (self.estimator, *self.estimator.get_params().values())):
            raise InputError(f"MLPSweepCV searches over mlp_opt's MLPClassifier and MLPRegressor, which {self.estimator!r} does not hold")
        on_cpu = jax.default_backend() == "cpu"
        workers = (cores() if on_cpu else 1) if self.n_jobs is None else effective_n_jobs(self.n_jobs)
        most = max(min(MOST, BYTES // (4 * max(_bytes(X), 1))), 2 * workers)
        # scikit-learn sets the filters in every thread anew; what they were is put back here
        with warnings.catch_warnings(), parallel_config(backend=_Together(Meeting(workers, most))):
            return super().fit(X, y, **params)

    def _run_search(self, evaluate_candidates: Callable[[Any], Any]) -> None:
        if self.n_iter is None:
            evaluate_candidates(ParameterGrid(self.param_distributions))
        else:
            evaluate_candidates(ParameterSampler(self.param_distributions, self.n_iter, random_state=self.random_state))


class _Together(ParallelBackendBase):
    """A backend of joblib: the tasks of the first Parallel that meets it are fits of the meeting; later ones run in line."""

    supports_retrieve_callback = True
    uses_threads = True
    supports_sharedmem = True

    def __init__(self, meeting: Meeting):
        super().__init__(nesting_level=0)
        self.meeting, self.taken = meeting, False

    def effective_n_jobs(self, n_jobs: Any) -> int:
        return self.meeting.most

    def configure(self, n_jobs: Any = 1, parallel: Any = None, **options: Any) -> int:
        if self.taken:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self.taken, self.parallel = True, parallel
        return self.effective_n_jobs(n_jobs)

    def submit(self, func: Callable[[], Any], callback: Callable[[Future[Any]], Any] | None = None) -> Future[Any]:
        future = self.meeting.submit(func)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        return out.result()

    @contextlib.contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Around the wait for results: by then all tasks are submitted."""
        self.meeting.open()
        yield

    def terminate(self) -> None:
        self.meeting.close()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        self.meeting.close()


def _bytes(X: Any) -> int:
    """What the samples take as float64."""
    return 8 * int(np.prod(np.shape(X)))
