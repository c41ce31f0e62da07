import io

import numpy as np
import pytest
from matplotlib import image

from mlp_opt.figures.curves import curves, png


def history(metric="accuracy", validation=True, n=20):
    e = np.arange(1, n + 1)
    columns = {"epoch": e, "train_loss": 1 / e, f"train_{metric}": 1 - 0.5 / e}
    return columns | ({"val_loss": 1.2 / e, f"val_{metric}": 1 - 0.7 / e} if validation else {})


@pytest.mark.parametrize("metric", ["accuracy", "r2"])
@pytest.mark.parametrize("validation", [False, True])
def test_curves_draw_what_the_history_holds(metric, validation):
    data = history(metric, validation)
    figure = curves(data, "title", best_epoch=7)
    loss, score = figure.axes
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), data["train_loss"])
    np.testing.assert_array_equal(score.lines[0].get_ydata(), data[f"train_{metric}"])
    labels = [text.get_text() for text in loss.get_legend().get_texts()]
    assert labels == ["training", *(["validation"] if validation else []), "best epoch (7)"]
    assert (loss.get_xlabel(), loss.get_ylabel(), loss.get_yscale()) == ("epoch", "loss", "log")
    assert score.get_ylabel() == {"accuracy": "accuracy", "r2": "R²"}[metric]
    pixels = image.imread(io.BytesIO(png(figure)))
    assert pixels[..., :3].std() > 0.05


def test_curves_of_a_diverged_run_still_draw():
    data = history()
    data["train_loss"][5:] = np.nan
    data["val_loss"][:] = np.nan
    assert png(curves(data, "diverged"))
    assert png(curves(history(n=1), "one epoch"))
