"""Tables in: what columns are, how they become inputs, and that a row's prediction does not depend on how it came."""

import dataclasses
import datetime
import gzip
import io
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlp_opt as mo
from mlp_opt import cli
from mlp_opt.data import columns, dataset, encode, sources, table_files
from mlp_opt.store import encoder_json

pytestmark = pytest.mark.implicit_promotion

KINDS = [
    (["1", "2.5", "-3e4", ""], "number"),
    (["1,234", "999", "12,345,678.5"], "number"),
    (["007", "012", "100"], "category"),
    (["NA", "3", "?"], "number"),
    (["red", "blue", "red"], "category"),
    (["true", "False", "true"], "category"),
    (["2026-01-31", "1999-12-01", None], "date"),
    (["2026-01-31T10:00:00Z", "1999-12-01T00:30:00Z"], "date"),
    (["31.12.2026", "01.01.2020"], "date"),
    (["2026-13-01", "2026-01-01"], "category"),
    ([f"word{i} and some more words" for i in range(30)], "text"),
    ([f"u{i}" for i in range(60)], "drop"),
    (["", "NA", None], "drop"),
    (["same"] * 5, "drop"),
    ([1, 2, None], "number"),
    ([1.5, float("nan")], "number"),
    ([True, False], "category"),
    ([True, True], "drop"),
    ([datetime.date(2026, 1, 1), None], "date"),
    ([b"red", b"blue"], "category"),
    ([[1], [2]], "drop"),
]


@pytest.mark.parametrize(("cells", "kind"), KINDS)
def test_the_kind_of_a_column(cells, kind):
    assert columns.kind_of(pl.Series("c", cells))[0] == kind


def test_an_index_column_is_left_out():
    table = pl.DataFrame({"rownames": range(1, 31), "x": np.random.default_rng(0).normal(size=30), "y": [0, 1] * 15})
    data = dataset.of_table("t", table, "y")
    assert data.features == ("x",)
    assert data.notes == ("left out rownames: counts the rows",)


def test_cells_as_numbers():
    found = columns.as_kind(pl.Series("c", ["1,234.5", " 7 ", "NA", "-1e3"]), "number", "t")
    assert found.to_list() == [1234.5, 7, None, -1000]
    for cells in ([1, 2, 2], [1.0, 2.0, 2.0], ["1", "2", "2"]):  # one category, however it is stored
        assert columns.as_kind(pl.Series("c", cells), "category", "t").to_list() == ["1", "2", "2"]


TARGETS = [
    (["no", "yes", "no", "yes"], "", "binary", ("no", "yes")),
    ([0, 1, 2, 10, 0, 1, 2, 10], "", "multiclass", ("0", "1", "2", "10")),
    (["10", "9", "9", "10", "9"], "", "binary", ("9", "10")),
    ([True, False, True, False], "", "binary", ("false", "true")),
    ([0.5, 1.5, 2.5, 1.5], "", "regression", ()),
    (list(range(40)), "", "regression", ()),
    ([0, 1, 0, 1], "regression", "regression", ()),
    ([b"a", b"b", b"a", b"b"], "", "binary", ("a", "b")),
]


@pytest.mark.parametrize(("cells", "asked", "task", "classes"), TARGETS)
def test_the_task_follows_from_the_target(cells, asked, task, classes):
    data = dataset.of_table("t", pl.DataFrame({"x": np.arange(len(cells)) ** 2, "y": cells}), "y", asked)
    assert (data.task, data.classes) == (task, classes)
    if classes:
        assert [classes[i] for i in data.y] == columns.as_kind(pl.Series("y", cells), "category", "t").to_list()


def some_table(n=400, seed=0):
    rng = np.random.default_rng(seed)
    day = datetime.datetime(2025, 1, 1)
    words = np.array(["warm", "cold", "rain", "sun", "wind", "snow", "calm", "fog"])
    return pl.DataFrame(
        {
            "size": pl.Series(np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(0, 2, n))).fill_nan(None),
            "count": rng.integers(0, 50, n),
            "colour": rng.choice(["red", "green", "blue, dark", 'odd "one"', None], n, p=[0.5, 0.3, 0.15, 0.04, 0.01]),
            "when": [day + datetime.timedelta(hours=int(h)) for h in rng.integers(0, 9000, n)],
            "report": [" ".join(rng.choice(words, 5)) for _ in range(n)],
            "flag": rng.random(n) < 0.3,
            "price": rng.normal(size=n),
        },
        strict=False,
    )


@pytest.fixture(scope="module")
def fitted():
    data = dataset.of_table("t", some_table(), "price")
    return data, encode.fit(data, data.X, data.y, "auto")


def test_every_kind_is_encoded_as_it_says(fitted):
    data, encoder = fitted
    assert encoder.kinds == ("number", "number", "category", "date", "text", "category")
    X = encoder.X(data.X)
    n = 2 + 7 + 1  # numbers, a date with a clock, an input for missing sizes
    assert encoder.width == X.shape[1] == n + encoder.categories[0].width + 2 + encode.WORDS
    assert np.isfinite(X).all()
    assert np.abs(X[:, : n - 1]).max() <= 3
    np.testing.assert_array_equal(X[:, n - 1], data.X["size"].is_null().to_numpy())
    assert encoder.plan() == f"2 numbers, 2 categories, 1 date, 1 text -> {encoder.width:,} inputs"


def test_numbers_are_scikit_learns(fitted):
    from sklearn.preprocessing import RobustScaler

    data, encoder = fitted
    x = data.X["size"].fill_null(data.X["size"].median()).to_numpy()[:, None]
    scaled = RobustScaler(unit_variance=True).fit_transform(x)[:, 0]
    np.testing.assert_allclose(encoder.X(data.X)[:, 0], scaled / np.sqrt(1 + (scaled / 3) ** 2), rtol=1e-12)


def test_categories_are_scikit_learns(fitted):
    from sklearn.preprocessing import OneHotEncoder

    data, encoder = fitted
    block = encoder.categories[0]
    cells = data.X["colour"]
    known = cells.is_not_null().to_numpy()
    out = np.zeros((len(cells), block.width))
    block.fill(cells, out)
    theirs = OneHotEncoder(sparse_output=False).fit_transform(cells.to_numpy().astype(object)[known, None])
    np.testing.assert_array_equal(out[known, : len(block.values)], theirs)
    assert block.missing
    assert (out[~known].sum(axis=0) == [0, 0, 0, 0, (~known).sum()]).all()


def test_rare_values_share_an_input_with_those_never_seen():
    cells = pl.Series("c", ["a"] * 20 + ["b"] * 20 + ["once"])
    block = encode._fit_category(cells)
    assert block == encode.Category("c", ("a", "b"), True, False)
    out = np.zeros((4, 3))
    block.fill(pl.Series("c", ["a", "once", "never", None]), out)
    np.testing.assert_array_equal(out, [[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]])
    block = encode._fit_category(cells[:40])
    out = np.zeros((2, 2))
    block.fill(pl.Series("c", ["never", None]), out)
    np.testing.assert_array_equal(out, 0)
    many = encode._fit_category(pl.Series("c", [f"v{i}" for i in range(300) for _ in range(2 + i % 2)]))
    assert (len(many.values), many.rare) == (encode.MOST_VALUES, True)


def test_text_is_scikit_learns(fitted):
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.pipeline import make_pipeline

    data, encoder = fitted
    hashed = HashingVectorizer(n_features=encode.WORDS, ngram_range=(1, 2), norm=None, alternate_sign=False)
    theirs = make_pipeline(hashed, TfidfTransformer(sublinear_tf=True)).fit_transform(data.X["report"].to_list()).toarray()
    np.testing.assert_allclose(encoder.X(data.X)[:, -encode.WORDS :], theirs * np.sqrt(encode.WORDS))


def test_a_date_is_where_it_stands():
    table = pl.DataFrame({"when": ["2026-01-05", "2026-07-06", None, "1970-01-01"]}).with_columns(
        pl.col("when").str.to_datetime("%Y-%m-%d")
    )
    found = encode.matrix(table, (), (("when", False),))
    assert found.shape == (4, 5)
    assert np.isnan(found[2]).all()
    np.testing.assert_array_equal(found[[0, 1, 3], 0], [20458, 20640, 0])
    np.testing.assert_allclose(found[0, 3:], found[1, 3:], atol=1e-9)  # both are Mondays
    np.testing.assert_allclose(found[0, 1:3], [np.sin(2 * np.pi * 5 / 365.25), np.cos(2 * np.pi * 5 / 365.25)])
    clock = encode.matrix(pl.DataFrame({"when": [datetime.datetime(1970, 1, 2, 6)]}), (), (("when", True),))
    np.testing.assert_allclose(clock[0, [0, 5, 6]], [1.25, 1, 0], atol=1e-12)


def test_huge_numbers_stay_bounded_and_flat_columns_too():
    table = pl.DataFrame({"x": [1e308, -1e308, 1.0, 2.0, 3.0] * 8, "flat": [0.0] * 39 + [5.0], "y": [0, 1] * 20})
    data = dataset.of_table("t", table, "y")
    encoder = encode.fit(data, data.X, data.y, "auto")
    X = encoder.X(table.with_columns(x=pl.lit(1.7e308)))
    assert np.isfinite(X).all()
    assert np.abs(X).max() <= 3
    assert len(np.unique(X[:, 1])) == 2


def test_an_encoder_survives_json_to_the_bit(fitted):
    import json

    data, encoder = fitted
    back = encoder_json.load(json.loads(json.dumps(encoder_json.dump(encoder))))
    np.testing.assert_array_equal(back.X(data.X), encoder.X(data.X))
    assert back.pad == encoder.pad


def test_encoders_of_folds_have_one_width(fitted):
    data, encoder = fitted
    other = encode.fit(data, data.X[:30], data.y[:30], "auto")
    assert other.width < encoder.width
    a, b = encode.one_width([encoder, other])
    assert a.width == b.width == encoder.width
    X = b.X(data.X[:50])
    np.testing.assert_array_equal(X[:, : other.width], other.X(data.X[:50]))
    np.testing.assert_array_equal(X[:, other.width :], 0)


# --- files ---


def write(path, table):
    kind = path.name.partition(".")[2]
    if kind == "parquet":
        table.write_parquet(path)
    elif kind.endswith("gz"):
        path.write_bytes(gzip.compress(table.write_csv().encode()))
    else:
        table.write_csv(path, separator="\t" if kind == "tsv" else ",")
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.parquet"])
def test_a_table_reads_as_it_was_written(name, tmp_path, fitted):
    _, encoder = fitted
    table = some_table()
    found = table_files.read(write(tmp_path / name, table))
    assert found.columns == table.columns
    np.testing.assert_array_equal(encoder.X(found), encoder.X(table))


def test_npz_columns_and_matrices(tmp_path):
    np.savez(tmp_path / "t.npz", X=np.arange(6.0).reshape(3, 2), y=np.array([b"a", b"b", b"a"]))
    found = table_files.read(tmp_path / "t.npz")
    assert found.to_dict(as_series=False) == {"X0": [0.0, 2.0, 4.0], "X1": [1.0, 3.0, 5.0], "y": ["a", "b", "a"]}


FORMS = {
    "plain": b"a,b\n1,x\n2,y\n",
    "no newline at the end": b"a,b\n1,x\n2,y",
    "CRLF": b"a,b\r\n1,x\r\n2,y\r\n",
    "BOM": b"\xef\xbb\xbfa,b\n1,x\n2,y\n",
    "semicolons": b"a;b\n1;x\n2;y\n",
    "tabs": b"a\tb\n1\tx\n2\ty\n",
    "bars": b"a|b\n1|x\n2|y\n",
    "quoted": b'"a","b"\n"1","x"\n"2","y"\n',
    "blank lines": b"a,b\n1,x\n\n2,y\n\n",
    "spaces": b"a, b\n1,x\n2,y\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_csv(form, tmp_path):
    (tmp_path / "t.csv").write_bytes(FORMS[form])
    assert table_files.read(tmp_path / "t.csv").to_dict(as_series=False) == {"a": ["1", "2"], "b": ["x", "y"]}


@given(
    rows=st.lists(st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=6)] * 3), min_size=1, max_size=12),
    block=st.integers(1, 60),
    batch=st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_any_text_survives_any_block(rows, block, batch, tmp_path_factory):
    """Quotes, separators and newlines inside cells, at any place of the boundary between two blocks."""
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    cells = ["".join(f'"{v.replace(chr(34), chr(34) * 2)}"' + ("," if i < 2 else "\n") for i, v in enumerate(row)) for row in rows]
    path.write_text("a,b,c\n" + "".join(cells), encoding="utf-8", newline="")
    before, table_files.BLOCK = table_files.BLOCK, block
    try:
        pieces = list(table_files.batches(path, batch))
    finally:
        table_files.BLOCK = before
    assert [len(piece) for piece in pieces[:-1]] == [batch] * (len(pieces) - 1)
    found = [tuple(v or "" for v in row) for row in pl.concat(pieces).rows()]
    assert found == rows


# --- models ---


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A network trained by the command on a table with every kind of column."""
    here = tmp_path_factory.mktemp("tables")
    os.chdir(here)
    some_table().write_csv(here / "t.csv")
    assert cli.main(["train", "t.csv", "--target", "price", "--hidden", "8", "--epochs", "2", "--out", "run"]) == 0
    return here


def test_predictions_do_not_depend_on_how_rows_come(trained, monkeypatch):
    monkeypatch.chdir(trained)
    model, table = mo.load("run"), pl.read_csv("t.csv", try_parse_dates=True)
    y_hat = model.predict(table)
    pandas = pd.read_csv("t.csv", parse_dates=["when"])
    assert cli.main(["predict", "run", "t.csv", "--out", "p.parquet", "--keep", "price"]) == 0
    written = pl.read_parquet("p.parquet")
    assert written["price"].cast(pl.Float64).to_list() == table["price"].to_list()
    others = {
        "a slice": np.concatenate([model.predict(table[:37]), model.predict(table[37:])]),
        "pandas": model.predict(pandas),
        "a dictionary": model.predict(table.to_dict(as_series=False)),
        "other columns": model.predict(table.select(reversed(table.columns)).with_columns(more=1)),
        "the command": written["prediction"].to_numpy()[:, None],
    }
    for how, other in others.items():
        np.testing.assert_array_equal(other, y_hat, err_msg=how)


def test_a_fresh_process_predicts_the_same_bits(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained)
    done = subprocess.run([sys.executable, "-m", "mlp_opt", "predict", "run", "t.csv"], capture_output=True, text=True, check=True)
    found = pl.read_csv(io.StringIO(done.stdout))
    np.testing.assert_array_equal(found["prediction"].to_numpy(), mo.load("run").predict(pl.read_csv("t.csv"))[:, 0])


def test_a_long_table_goes_through_in_pieces(trained, monkeypatch):
    monkeypatch.chdir(trained)
    table = pl.concat([pl.read_csv("t.csv", infer_schema=False)] * 3)
    table.write_csv("long.csv")
    monkeypatch.setattr(table_files, "BLOCK", 5000)
    monkeypatch.setattr(table_files, "batches", lambda path, rows=256, batches=table_files.batches: batches(path, rows))
    assert cli.main(["predict", "run", "long.csv", "--out", "long.parquet"]) == 0
    np.testing.assert_array_equal(pl.read_parquet("long.parquet")["prediction"].to_numpy(), mo.load("run").predict(table)[:, 0])


def test_several_targets(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    table = pl.DataFrame(X, schema=["a", "b", "c"]).with_columns(
        total=pl.col("a") + pl.col("b"), gap=10 + 5 * (pl.col("a") - pl.col("c")), up=pl.col("a") > 0, down=pl.col("b") < 0
    )
    table.write_csv("t.csv")
    quick = ["--hidden", "16", "--epochs", "40", "--learning-rate", "0.02"]
    assert cli.main(["train", "t.csv", "--target", "total,gap", "--columns", "up=drop,down=drop", *quick, "--out", "values"]) == 0
    model = mo.load("values")
    assert (model.task, model.targets, model.model.sizes) == ("regression", ("total", "gap"), (3, 16, 2))
    found = model.table(table)
    assert found.columns == ["prediction_total", "prediction_gap"]
    assert np.corrcoef(found["prediction_gap"], table["gap"])[0, 1] > 0.99
    assert abs(found["prediction_gap"].mean() - table["gap"].mean()) < 1
    assert cli.main(["train", "t.csv", "--target", "up,down", "--columns", "total=drop,gap=drop", *quick, "--out", "labels"]) == 0
    model = mo.load("labels")
    assert (model.task, model.model.loss, model.model.sizes) == ("multilabel", "bce", (3, 16, 2))
    found = model.table(table)
    assert found.columns == ["prediction_up", "prediction_down", "p_up", "p_down"]
    assert (found["prediction_up"].cast(pl.Boolean) == table["up"]).mean() > 0.95


def test_a_sweep_of_a_data_frame_over_folds(tmp_path):
    table = some_table(120).with_columns(pl.when(pl.col("count") > 25).then(pl.lit("many")).otherwise(pl.lit("few")).alias("price"))
    trials = [{"learning_rate": 0.01}, {"learning_rate": 0.05}]
    found = mo.sweep(trials, table, "price", epochs=3, folds=3, hidden=(8,), columns={"report": "drop"}, out=tmp_path / "s")
    assert len(found.table) == 6
    assert found.best.classes == ("few", "many")
    assert "report" not in found.best.features
    predicted = mo.load(tmp_path / "s" / "best").table(table)
    assert predicted.columns == ["prediction", "p_few", "p_many"]
    np.testing.assert_allclose(predicted["p_few"] + predicted["p_many"], 1)
    loaded = mo.load(tmp_path / "s" / "ensemble")
    assert len({id(m.encoder) for m in loaded.members}) == 3  # each fold's rows are encoded in their own way, once
    np.testing.assert_array_equal(loaded.predict(table), np.mean([m.predict(table) for m in found.ensemble.members], axis=0))
    again = mo.sweep(trials, table, "price", epochs=3, folds=3, hidden=(8,), columns={"report": "drop"}, out=tmp_path / "s", resume=True)
    assert again.table.equals(found.table)


@pytest.mark.parametrize("name", ["iris", "diabetes", "tweets"])
def test_a_named_set_as_a_table_is_the_same_data(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["datasets", name, "--out", "t.csv"]) == 0
    named = sources.load(name)
    data = sources.load("t.csv", (sources.SOURCES[name].target or "target",))
    assert (data.task, data.classes) == (named.task, named.classes)
    np.testing.assert_array_equal(data.y, named.y)
    assert cli.main(["datasets", name, "--out", "t.csv"]) == 2
    assert cli.main(["datasets", name]) == 2
    assert cli.main(["datasets", "irsi", "--out", "u.csv"]) == 2
    err = capsys.readouterr().err.splitlines()
    assert err == [
        "mlp-opt: --out t.csv: already exists; choose another",
        "mlp-opt: --out: give a file .csv or .parquet",
        err[2],
    ]
    assert "did you mean 'iris'" in err[2]


def test_learn_is_the_command_in_python(trained, monkeypatch):
    monkeypatch.chdir(trained)
    saved = mo.load("run")
    settings = {"hidden": (8,), "epochs": 2}
    for data in ("t.csv", pl.read_csv("t.csv"), pd.read_csv("t.csv")):
        model = mo.learn(data, "price", **settings)
        np.testing.assert_array_equal(model.predict(some_table()), saved.predict(some_table()))
    X, y = some_table()["size", "count"].fill_null(0).to_numpy(), some_table()["flag"].to_numpy()
    assert mo.learn(X, y, epochs=1).classes == ("false", "true")
    with pytest.raises(mo.InputError, match="did you mean 'epochs'"):
        mo.learn(X, y, epoch=1)
    with pytest.raises(mo.InputError, match="learning_rate must be a number, got 'fast'"):
        mo.learn(X, y, learning_rate="fast")


# --- found by messy tables ---


@pytest.mark.parametrize(
    ("cells", "kind", "message"),
    [
        ([f"{i}.5" for i in range(60)] + ["-"], "number", None),
        ([f"{i}.5" for i in range(60)] + ["odd"], "number", "row 61 holds 'odd', which is not a number"),
        ([f"2026-01-{i % 28 + 1:02}" for i in range(60)] + ["0000-00-00"], "date", "row 61 holds '0000-00-00', which is not a date"),
        (["0,125", "1,250"] * 30, "category", None),
        ([f"2026-01-{i % 28 + 1:02} 10:00:00+02:00" for i in range(60)], "date", None),
    ],
)
def test_a_column_is_what_nearly_all_its_cells_are(cells, kind, message):
    series = pl.Series("c", cells)
    assert columns.kind_of(series)[0] == kind
    if message is None:
        columns.as_kind(series, kind, "t")
    else:
        with pytest.raises(mo.InputError, match=message):
            columns.as_kind(series, kind, "t")


def test_moments_are_in_utc_however_they_come():
    hour = datetime.timezone(datetime.timedelta(hours=2))
    typed = pl.Series("c", [datetime.datetime(2026, 7, 1, 10, tzinfo=hour)])
    pandas = columns.frame(pd.DataFrame({"c": pd.to_datetime(["2026-07-01 10:00:00+02:00"])}))["c"]
    text = pl.Series("c", ["2026-07-01 10:00:00+02:00"])
    for series in (typed, pandas, text):
        assert columns.as_kind(series, "date", "t").to_list() == [datetime.datetime(2026, 7, 1, 8)]
    assert columns.kind_of(pl.Series("c", ["01.02.26", "03.04.27"]))[0] == "category"  # no year 26


def test_a_category_is_one_however_it_is_written():
    for cells in (["True", "false", None], ["TRUE", "False", ""], [True, False, None], pd.array([True, False, None], "boolean")):
        series = columns.frame(pd.DataFrame({"c": cells}) if not isinstance(cells, list) else {"c": cells})["c"]
        assert columns.as_kind(series, "category", "t").to_list() == ["true", "false", None]
    for cells in (["1.0", "2.00", ""], [1.0, 2.0, None], [1, 2, None], pd.array([1, 2, None], "Int64"), ["1", "2", None]):
        series = columns.frame(pd.DataFrame({"c": cells}) if not isinstance(cells, list) else {"c": cells})["c"]
        assert columns.as_kind(series, "category", "t").to_list() == ["1", "2", None]
    assert columns.kind_of(pl.Series("c", ["1", "2"], dtype=pl.Categorical))[0] == "category"
    assert columns.kind_of(columns.frame(pd.DataFrame({"c": pd.Categorical([1, 2])}))["c"])[0] == "category"


def test_a_cell_that_is_missing_for_the_first_time_is_the_median():
    data = dataset.of_table("t", pl.DataFrame({"year": list(range(1990, 2020)), "y": [0, 1] * 15}), "y")
    encoder = encode.fit(data, data.X, data.y, "auto")
    np.testing.assert_allclose(encoder.X({"year": [None]}), 0, atol=1e-12)


def test_empty_rows_are_rows_and_blank_lines_are_none(tmp_path):
    for text in ("a,b\n\nl1,1\n,\nx,3\n\n", 'a,b\n"l1",1\n,\n\n"x",3\n', "a,b\r\n\r\nl1,1\r\n,\r\nx,3\r\n"):
        (tmp_path / "t.csv").write_bytes(text.encode())
        found = table_files.read(tmp_path / "t.csv").to_dict(as_series=False)
        assert found == {"a": ["l1", None, "x"], "b": ["1", None, "3"]}
    (tmp_path / "t.csv").write_text('a,b\n"l1\n\nl2",1\n,\nx,3\n')
    assert table_files.read(tmp_path / "t.csv")["a"].to_list() == ["l1\n\nl2", None, "x"]


def test_headers_of_spreadsheets(tmp_path):
    (tmp_path / "t.CSV").write_text('sep=;\n"a,b,c";"two\nlines";\n1;2;3\n')
    assert table_files.read(tmp_path / "t.CSV").to_dict(as_series=False) == {"a,b,c": ["1"], "two lines": ["2"], "unnamed_2": ["3"]}


def test_the_score_of_far_away_values(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(300, 2))
    pl.DataFrame({"a": x[:, 0], "y": 1e9 + x[:, 0] + 0.5 * x[:, 1]}).write_csv("t.csv")
    assert cli.main(["train", "t.csv", "--target", "y", "--hidden", "8", "--epochs", "20", "--out", "run"]) == 0
    assert cli.main(["predict", "run", "t.csv", "--out", "p.csv"]) == 0
    shown = float(capsys.readouterr().err.split("R^2 ")[1].split()[0])
    y, y_hat = pl.read_csv("t.csv")["y"], pl.read_csv("p.csv")["prediction"]
    assert shown == pytest.approx(1 - ((y - y_hat) ** 2).sum() / ((y - y.mean()) ** 2).sum(), abs=1e-4)


def test_the_encoder_of_a_run_sees_no_test_row():
    """Other test rows, same encoder: the split is by row number, so rows can be changed in place."""
    from mlp_opt import experiment
    from mlp_opt.config import TrainConfig

    data = dataset.of_table("t", some_table(), "price")
    config = TrainConfig(test_size=0.3, validation=0.2)
    rows = dataclasses.replace(
        data, X=data.X.with_row_index("row"), features=("row", *data.features), kinds={"row": "number", **data.kinds}
    )
    prepared = experiment.prepare(config, rows)
    held = np.concatenate([prepared.test.X["row"].to_numpy(), prepared.validation.X["row"].to_numpy()])
    wild = data.X.with_columns(
        pl.when(pl.int_range(len(data.X)).is_in(held)).then(1e9).otherwise(pl.col("size")).alias("size"),
        pl.when(pl.int_range(len(data.X)).is_in(held)).then(pl.lit("wild")).otherwise(pl.col("colour")).alias("colour"),
    )
    changed = experiment.prepare(config, dataclasses.replace(data, X=wild))
    same = experiment.prepare(config, data)
    assert encoder_json.dump(changed.encoder) == encoder_json.dump(same.encoder)
