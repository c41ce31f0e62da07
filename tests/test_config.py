import dataclasses
import re

import pytest

import mlp_opt as mo
from mlp_opt import experiment
from mlp_opt.activations import ACTIVATIONS
from mlp_opt.config import TrainConfig, dump_toml, load_toml
from mlp_opt.initializers import INITIALIZERS
from mlp_opt.optimizers import OPTIMIZERS
from mlp_opt.schedules import SCHEDULES


def test_a_configuration_survives_toml(tmp_path):
    config = TrainConfig(
        "a/b.csv",
        ("price",),
        columns={"zip": "category"},
        hidden=(3, 4),
        activation=("relu", "tanh"),
        optimizer_options={"b1": 0.8, "nesterov": True},
        epochs=3,
        l2=0.5,
    )
    path = tmp_path / "c.toml"
    path.write_text(dump_toml(config))
    assert TrainConfig(**load_toml(path)) == config
    path.write_text("hidden = 12\nactivation = 'tanh'\nlearning_rate = 1")
    assert load_toml(path) == {"hidden": (12,), "activation": ("tanh",), "learning_rate": 1.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochz = 3", r"c\.toml 'epochz' \(did you mean 'epochs'\?\)"),
        ("epochs = 2.5", "epochs must be a whole number, got 2.5"),
        ("epochs = true", "epochs must be a whole number, got True"),
        ("learning_rate = 'fast'", "learning_rate must be a number, got 'fast'"),
        ("hidden = ['a']", "hidden must be a list of whole numbers"),
        ("residual = 1", "residual must be true or false"),
        ("optimizer_options = {b1 = 'x'}", "optimizer_options must be a table of numbers"),
        ("dataset = ", "is not TOML"),
    ],
)
def test_wrong_files_name_file_key_and_value(text, message, tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(mo.InputError, match=message) as caught:
        load_toml(path)
    assert "c.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": ""}, "name a dataset"),
        ({"hidden": (0,)}, "hidden must be whole numbers >= 1"),
        ({"learning_rate": 0.0}, "learning_rate must be a number > 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be"),
        ({"epochs": 0}, "epochs must be"),
        ({"test_size": 1.0}, "test_size must be"),
        ({"validation": -0.1}, "validation must be"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"label_smoothing": 0.1}, "label_smoothing must be 0 for a regression"),
        ({"batch_size": 1000}, "larger than the"),
        ({"optimizer": "adm"}, "did you mean 'adam'"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"scaling": "standrad"}, "did you mean 'standard'"),
        ({"optimizer_options": {"b3": 0.1}}, "unknown option of optimizer adam 'b3'"),
        ({"optimizer_options": {"nesterov": 1.0}}, "must be true or false"),
        ({"optimizer_options": {"b1": True}}, "must be a number"),
        ({"optimizer_options": {"mask": 1.0}}, "unknown option"),
        ({"optimizer_options": {"eps": -1.0}}, "option eps of optimizer adam must be >= 0, got -1"),
        ({"optimizer_options": {"b2": 1.0}}, "must be from 0 up to but not 1, got 1"),
        ({"schedule": "cosine", "schedule_options": {"decay_steps": 0.0}}, "decay_steps of schedule cosine must be > 0"),
        ({"patience": 2**31}, "patience must be"),
        ({"schedule_options": {"alpha": 1.0}}, "takes no options"),
        ({"schedule": "cosine", "schedule_options": {"aplha": 1.0}}, "did you mean 'alpha'"),
        ({"activation": ("relu", "tanh", "relu")}, "3 activations do not fit 2 layers"),
        ({"activation": ("step",)}, "its gradient is 0 everywhere"),
    ],
)
def test_values_that_do_not_fit_are_refused(change, message):
    config = dataclasses.replace(TrainConfig("diabetes"), **change)
    with pytest.raises(mo.InputError, match=message):
        experiment.prepare(config)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_every_schedule_spans_the_run(name, optimizer):
    config = TrainConfig("iris", schedule=name, optimizer=optimizer, learning_rate=0.5)
    rate = experiment.build_optimizer(config, 100).update.traced["learning_rate"]
    values = [float(rate(t)) if callable(rate) else rate for t in range(101)]
    assert max(values) == pytest.approx(0.5, rel=1e-3)
    if name != "constant":
        assert values[100] <= 0.01 * 0.5 + 1e-6


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_built_from_a_name(name):
    experiment.build_optimizer(TrainConfig("iris", optimizer=name, schedule="warmup_cosine"), 10)


@pytest.mark.parametrize(
    ("field", "registry"), [("activation", ACTIVATIONS), ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("init", INITIALIZERS)]
)
def test_the_help_lists_every_name_of_the_registry(field, registry):
    """config.py names them in text, so that --help need not import jax."""
    import inspect

    source = inspect.getsource(TrainConfig)
    text = source.split(f"    {field}:")[1].split('"""')[1]
    assert set(re.findall(r"[a-z]\w*", text)) >= set(registry)
