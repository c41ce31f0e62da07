# ruff: noqa: E501
"""A corpus of bad input: each gets one clear line and exit status 2, and leaves no file behind."""

import gzip
import io
import os
import zipfile

import jax
import numpy as np
import polars as pl
import pytest

import mlp_opt as mo
from mlp_opt import cli
from mlp_opt.data import dataset, encode
from mlp_opt.store import model_files
from mlp_opt.store.model_files import TrainedModel

pytestmark = pytest.mark.implicit_promotion

GOOD = "size,colour,price\n" + "".join(f"{i % 7},{'red' if i % 3 else 'blue'},{i * 1.5}\n" for i in range(40))


def csv(*rows, header="size,colour,price"):
    return "\n".join([header, *rows, *GOOD.splitlines()[1:]]) + "\n"


def parquet(table):
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def pickled():
    buffer = io.BytesIO()
    np.savez(buffer, size=np.array([{"a": 1}, None], object), price=np.arange(2.0))
    return buffer.getvalue()


def flipped(data, at):
    damaged = bytearray(data)
    damaged[at] ^= 0xFF
    return bytes(damaged)


def zipped_nonsense():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../size.npy", b"not an array")
    return buffer.getvalue()


TABLE = pl.DataFrame({"size": [float(i % 7) for i in range(40)], "price": [i * 1.5 for i in range(40)]})
WIDE = ",".join(f"c{i}" for i in range(10_000))

# name of the case -> (file name, content, options, what the line says)
FILES = {
    "empty": ("t.csv", "", [], "t.csv is empty"),
    "only blank lines": ("t.csv", "\n\n\n", [], "t.csv is empty|holds no rows"),
    "header only": ("t.csv", "size,colour,price\n", [], "t.csv holds no rows"),
    "header without newline": ("t.csv", "size,colour,price", [], "t.csv holds no rows"),
    "one row": ("t.csv", "size,price\n1,2\n", [], "1 rows with a price; at least 2 are needed"),
    "too few to split": ("t.csv", "size,price\n1,2.5\n2,3.5\n3,7.5\n", [], "cannot set aside|batch_size 32 is larger than"),
    "no target given": ("t.csv", GOOD, ["--target", "none"], "say what to predict: --target COLUMN; its columns: size, colour, price"),
    "target misspelt": ("t.csv", GOOD, ["--target", "prize"], "unknown target in t.csv 'prize' (did you mean 'price'?)"),
    "target constant": ("t.csv", "size,price\n" + "1,5\n2,5\n" * 20, [], "target 'price' is constant: it is always '5'"),
    "target missing everywhere": ("t.csv", "size,price\n" + "1,\n2,NA\n" * 20, [], "0 rows with a price"),
    "target of one class": ("t.csv", "size,price\n" + "1,cheap\n2,cheap\n" * 20, [], "target 'price' is constant"),
    "target of names": ("t.csv", "size,price\n" + "".join(f"{i},name{i}\n" for i in range(40)), [], "40 different values in 40 rows"),
    "target of dates": ("t.csv", "size,price\n" + "".join(f"{i},2026-01-{1 + i % 28}\n" for i in range(40)), [], "holds dates"),
    "target a number, asked binary": ("t.csv", GOOD, ["--task", "binary"], "40 classes, which is no binary task|has 1 row"),
    "target words, asked regression": (
        "t.csv", "size,price\n" + "1,low\n2,high\n" * 20, ["--task", "regression"],
        "column 'price', row 1 holds 'low', which is not a number",
    ),
    "target infinite": ("t.csv", csv("1,red,inf"), [], "column 'price', row 1 holds inf; numbers must be finite"),
    "a class of one row": ("t.csv", "size,price\n" + "1,low\n2,high\n" * 20 + "3,odd\n", [], "the class 'odd' has 1 row"),
    "unknown task": ("t.csv", GOOD, ["--task", "clustering"], "unknown task 'clustering'"),
    "several targets, one of words": ("t.csv", GOOD, ["--target", "price,colour"], "column 'colour', row 1 holds 'blue', which is not a number"),
    "several targets, one constant": (
        "t.csv", "size,a,b\n" + "1,2.5,3\n2,3.5,3\n" * 20, ["--target", "a,b"], "target 'b' is constant",
    ),
    "several targets as classes": ("t.csv", "size,a,b\n" + "1,2.5,3\n2,3.5,4\n" * 20, ["--target", "a,b", "--task", "multiclass"], "not multiclass"),
    "the target alone": ("t.csv", "price\n" + "1.5\n2.5\n" * 20, [], "has no column to learn from"),
    "all columns constant": ("t.csv", "size,price\n" + "".join(f"1,{i}.5\n" for i in range(40)), [], "left out size: is always the same"),
    "all columns empty": ("t.csv", "size,price\n" + "".join(f",{i}.5\n" for i in range(40)), [], "left out size: holds no value"),
    "only identifiers": ("t.csv", "id,price\n" + "".join(f"u{i:04x},{i}.5\n" for i in range(60)), [], "an identifier"),
    "duplicate column": ("t.csv", "size,size,price\n1,2,3\n", [], "the column name 'size' stands twice"),
    "a row too long": ("t.csv", csv("1,red,2,9"), [], "t.csv, line 2: 4 cells, but the header names 3 columns"),
    "a row too short": ("t.csv", csv("1,red,2", "1,red"), [], "t.csv, line 3: 2 cells, but the header names 3 columns"),
    "a row too long, quoted": ("t.csv", csv('1,"red",2', '1,"re\nd",2,9'), [], "t.csv, line 4: 4 cells"),
    "a quote left open": ("t.csv", csv('1,"red,2'), [], "t.csv, line 42: unexpected end of data"),
    "UTF-16": ("t.csv", GOOD.encode("utf-16"), [], "t.csv is UTF-16 text; save it as UTF-8"),
    "Latin-1": ("t.csv", csv("1,grün,2").encode("latin-1"), [], "t.csv, line 2: byte 0xfc is not UTF-8 text"),
    "NUL bytes": ("t.csv", csv("1,r\0d,2"), [], "t.csv, line 2: holds a NUL byte"),
    "a picture": ("t.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", [], "t.csv, line 1: byte 0x89 is not UTF-8 text"),
    "ten thousand columns, one missing": (
        "t.csv", f"{WIDE},price\n" + ",".join(["1"] * 10_000) + "\n", [], "line 2: 10000 cells, but the header names 10001 columns",
    ),
    "infinite numbers": ("t.csv", csv("1,red,2", "-inf,red,2"), [], "column 'size', row 2 holds -inf"),
    "words in a number column": ("t.csv", csv("1,red,2", "big,red,2"), ["--columns", "size=number"], "column 'size', row 2 holds 'big', which is not a number"),
    "words in a date column": ("t.csv", GOOD, ["--columns", "colour=date"], "column 'colour', row 1 holds 'blue', which is not a date such as"),
    "unknown column": ("t.csv", GOOD, ["--columns", "sice=number"], "unknown column of t.csv 'sice' (did you mean 'size'?)"),
    "unknown kind": ("t.csv", GOOD, ["--columns", "size=numbr"], "unknown kind for column 'size' 'numbr' (did you mean 'number'?)"),
    "kinds that are none": ("t.csv", GOOD, ["--columns", "size"], "'size' is not NAME=KIND"),
    "everything dropped": ("t.csv", GOOD, ["--columns", "size=drop,colour=drop"], "has no column to learn from: left out size, colour: as asked"),
    "not gzip": ("t.csv.gz", GOOD, [], "t.csv.gz is damaged: Not a gzipped file"),
    "gzip cut off": ("t.csv.gz", gzip.compress(GOOD.encode())[:-20], [], "t.csv.gz is damaged"),
    "gzip damaged": ("t.csv.gz", flipped(gzip.compress(GOOD.encode()), 40), [], "t.csv.gz is damaged|is not UTF-8|cells"),
    "not Parquet": ("t.parquet", GOOD, [], "t.parquet is not a Parquet file"),
    "Parquet cut off": ("t.parquet", parquet(TABLE)[:-30], [], "t.parquet is damaged"),
    "Parquet without rows": ("t.parquet", parquet(TABLE[:0]), [], "t.parquet holds no rows"),
    "Parquet of lists": ("t.parquet", parquet(pl.DataFrame({"size": [[1], [2]] * 20, "price": list(range(40))})), [], "holds List(Int64), which is neither"),
    "npz of objects": ("t.npz", pickled(), [], "cannot be read as npz: Object arrays cannot be loaded"),
    "npz that is none": ("t.npz", GOOD, [], "t.npz cannot be read as npz"),
    "npz cut off": ("t.npz", npz(size=np.arange(40.0), price=np.arange(40.0))[:-40], [], "t.npz cannot be read as npz"),
    "npz of nonsense": ("t.npz", zipped_nonsense(), [], "t.npz: the array|t.npz cannot be read as npz"),
    "npz of different lengths": ("t.npz", npz(size=np.arange(3.0), price=np.arange(40.0)), [], "different lengths: size 3, price 40"),
    "npz of cubes": ("t.npz", npz(size=np.ones((4, 4, 4)), price=np.arange(4.0)), [], "the array 'size' of shape (4, 4, 4)"),
    "npz of a number": ("t.npz", npz(size=np.float64(3)), [], "the array 'size' of shape ()"),
    "npz of bytes that are no text": ("t.npz", npz(size=np.array([b"\xff", b"a"]), price=np.arange(2.0)), [], "bytes that are not UTF-8"),
    "a kind for the target": ("t.csv", GOOD, ["--columns", "price=number"], "'price' is a target; say what it is with --task"),
    "a target twice": ("t.csv", GOOD, ["--target", "price,price"], "a target stands twice"),
    "lines of CR alone": ("t.csv", GOOD.replace("\n", "\r"), [], "t.csv ends its lines with CR alone"),
    "a target of lists": ("t.parquet", parquet(pl.DataFrame({"size": [1, 2] * 9, "price": [[1], [2]] * 9})), [], "holds List(Int64), which is neither"),
    "lists as numbers": (
        "t.parquet", parquet(pl.DataFrame({"size": [[1], [2]] * 9, "price": [1, 2] * 9})), ["--columns", "size=number"], "holds List(Int64), which is neither",
    ),
    "npz that makes a column twice": ("t.npz", npz(X=np.ones((4, 1)), X0=np.zeros(4), price=np.arange(4.0)), [], "two arrays make the column 'X0'"),
    "npz of months": ("t.npz", npz(size=np.array(["2026-01", "2026-02"], "M8[M]"), price=np.arange(2.0)), [], "is no column of a table|no column"),
    "another suffix": ("t.xlsx", GOOD, [], "t.xlsx is no table that can be read; accepted: .csv"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", os.environ.get("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "cache")))


def refused(capsys, arguments):
    """The one line of a command that exits with 2 and leaves no new file in this folder."""
    before = set(os.listdir())
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if line.startswith("mlp-opt: ")]
    assert len(lines) == 1
    assert err.splitlines()[-1] == lines[0]
    assert set(os.listdir()) == before
    return lines[0]


@pytest.mark.parametrize("case", FILES)
def test_a_bad_table_is_refused_in_one_line(case, tmp_path, capsys):
    name, content, options, message = FILES[case]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    target = [] if "--target" in options else ["--target", "price"]
    line = refused(capsys, ["train", name, *target, *options])
    assert any(part in line for part in message.split("|")), line


def test_paths_that_are_no_file(tmp_path, capsys):
    (tmp_path / "t.csv").mkdir()
    assert "t.csv is a folder" in refused(capsys, ["train", "./t.csv", "--target", "x"])
    assert "cannot read gone/t.csv: No such file" in refused(capsys, ["train", "gone/t.csv", "--target", "x"])
    assert "unknown dataset 'digit'" in refused(capsys, ["train", "digit"])
    assert "cannot read t.tsv: No such file" in refused(capsys, ["train", "t.tsv", "--target", "x"])
    assert "for tables; the data set 'digits' has its own" in refused(capsys, ["train", "digits", "--target", "x"])


# --- at prediction ---


@pytest.fixture(scope="module")
def model():
    table = pl.read_csv(io.BytesIO(GOOD.encode()))
    data = dataset.of_table("t.csv", table, "price")
    encoder = encode.fit(data, data.X, data.y, "auto")
    network = mo.MLP((encoder.width, 4, 1), "tanh", "mse")
    return TrainedModel(network, mo.init(network, jax.random.key(0)), encoder, data.task, (), data.targets, {})


ROWS = {
    "a missing column": ("size,price\n1,2\n", "unknown column in t.csv: it has no 'colour'"),
    "a column renamed": ("size,color\n1,red\n", "it has no 'colour' (did you mean 'color'?)"),
    "a word in a number column": ("size,colour\n1,red\nbig,red\n", "column 'size', row 2 holds 'big', which is not a number"),
    "an infinite number": ("size,colour\n1,red\n1e999,red\n", "column 'size', row 2 holds inf"),
    "a ragged row": ("size,colour\n1,red\n1\n", "t.csv, line 3: 1 cells"),
    "no rows": ("size,colour\n", "t.csv holds no rows"),
    "nothing": ("", "t.csv is empty"),
}


@pytest.mark.parametrize("out", ["p.parquet", "p.csv"])
@pytest.mark.parametrize("case", ROWS)
def test_a_table_that_does_not_fit_the_model_is_refused_in_one_line(case, out, tmp_path, capsys, model):
    content, message = ROWS[case]
    (tmp_path / "m").mkdir()
    model_files.save(tmp_path / "m", model)
    (tmp_path / "t.csv").write_text(content)
    assert message in refused(capsys, ["predict", "m", "t.csv", "--out", out])


def test_bad_options_of_predict(tmp_path, capsys, model):
    (tmp_path / "m").mkdir()
    model_files.save(tmp_path / "m", model)
    (tmp_path / "t.csv").write_text(GOOD)
    (tmp_path / "old.csv").write_text("keep me")
    assert "old.csv: already exists" in refused(capsys, ["predict", "m", "t.csv", "--out", "old.csv"])
    assert (tmp_path / "old.csv").read_text() == "keep me"
    assert "its folder does not exist" in refused(capsys, ["predict", "m", "t.csv", "--out", "no/p.csv"])
    assert "give a file .parquet or .csv" in refused(capsys, ["predict", "m", "t.csv", "--out", "p.xlsx"])
    assert "to keep 'sise' (did you mean 'size'?)" in refused(capsys, ["predict", "m", "t.csv", "--out", "p.csv", "--keep", "sise"])
    assert "cannot read gone/model.json" in refused(capsys, ["predict", "gone", "t.csv"])
    assert "holds no model" in refused(capsys, ["predict", ".", "t.csv"])
    (tmp_path / "t2.csv").write_text("prediction," + GOOD.replace("\n", "\n1,").removesuffix("1,"))
    assert "the predictions have a column of that name" in refused(
        capsys, ["predict", "m", "t2.csv", "--keep", "prediction", "--out", "q.csv"]
    )


def test_arrays_and_frames_that_do_not_fit():
    X, y = np.ones((4, 2)), np.array([0, 1, 0, 1])
    for given, message in (
        ((X, y[:3]), "X must be"),
        ((X * np.nan, y), "finite numbers"),
        ((np.array([["a", "b"]] * 4), y), "finite numbers"),
        ((X, np.array([0.5, np.inf, 1, 2])), "finite numbers"),
        ((X, np.array([0, 0, 0, 0])), "1 classes"),
        ((X, np.array([0, 0, 0, 1])), "the class '1' has 1 row"),
        ((X, None), "arrays X and y"),
        (({"a": [1, 2, 3]}, None), "the column to predict"),
        (({"a": [1, 2, 3]}, np.ones(3)), "the column to predict"),
        (({"a": [1, 2], "b": [1]}, "b"), "do not fit together"),
    ):
        with pytest.raises(mo.InputError, match=message):
            dataset.of(*given)
    with pytest.raises(mo.InputError, match="not multiclass"):
        dataset.of(X, np.ones((4, 2)) * [[0], [1], [2], [3]], "multiclass")
