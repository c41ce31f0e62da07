"""The Landscape and Sweep tabs in a real browser: they draw what is in the folders, are linked, and follow their address."""

import base64
import csv
import io
import json
import shutil
import time

import browser
import numpy as np
import polars as pl
import pytest
from PIL import Image

import mlp_opt as mo
from mlp_opt.sweeps import table as tables
from mlp_opt.web import folders

pytestmark = [
    pytest.mark.skipif(browser.find() is None, reason="no Chromium found: apt-get install chromium"),
    pytest.mark.implicit_promotion,
    pytest.mark.long,
]
SWEPT = "document.querySelector('canvas.trends')?.dataset.medians && document.querySelector('canvas.cells')?.dataset.drawn"
CURVED = "document.querySelector('.trial-card canvas.curve')?.dataset.drawn && !document.querySelector('.trial-card .curves').hidden"
PLANE = "document.querySelectorAll('.layer')[1]?.dataset.drawn && document.querySelector('canvas.low')?.dataset.drawn"


@pytest.fixture
def root(made_runs):
    folders.use(made_runs[0])
    yield made_runs[0]
    folders.use(folders.Path("runs"))


@pytest.fixture
def page(url, chromium, root):
    """A browser that may go to any address of the page; at the end, no error and no request outside."""
    chromium.forget()
    chromium.resize(1280, 900)
    yield chromium
    chromium.run("1")  # what it has still to tell
    assert chromium.errors == []
    assert chromium.outside(url) == []
    assert len(chromium.requests) > 10


def show(page, url, hash, until):
    page.open(url + hash)
    page.wait(f"document.readyState === 'complete' && {until}")


def drawn(page, selector, key="drawn"):
    return json.loads(page.run(f"document.querySelector('{selector}').dataset.{key}"))


def colors(page, selector):
    """How many colours a canvas shows."""
    data = page.run(f"document.querySelector('{selector}').toDataURL()")
    return len(np.unique(np.asarray(Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGBA")).reshape(-1, 4), axis=0))


def press(page, selector, x, y):
    """Press at a share of an element's width and height."""
    left, top, width, height = page.run(
        f"(() => {{ const e = document.querySelector('{selector}'); e.scrollIntoView({{ block: 'center' }});"
        " const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()"
    )
    page.mouse("mousePressed", left + x * width, top + y * height)
    page.mouse("mouseReleased", left + x * width, top + y * height)


def test_the_sweep_that_is_drawn_is_the_table(page, url, root):
    show(page, url, "#sweep", f"{SWEPT} && {CURVED}")
    table, board = mo.load_sweep(root / "sweep"), tables.leaderboard_of(root / "sweep", 100)
    lost = table.filter(pl.col("status") == "diverged")
    assert drawn(page, "canvas.trends") == {"points": 14, "crosses": len(lost), "x": "learning_rate"}
    medians = dict(drawn(page, "canvas.trends", "medians"))
    for name in ("adam", "momentum"):
        mine = table.filter(pl.col("optimizer") == name).sort("learning_rate")
        expected = [None if row["status"] == "diverged" else pytest.approx(row["val_accuracy"]) for row in mine.iter_rows(named=True)]
        assert medians[name] == expected
    assert [float(v) for v in drawn(page, "canvas.cells") if v is not None]
    assert page.run("document.querySelector('.headline').textContent").startswith("14 networks in ")
    assert f"{len(lost)} diverged" in page.run("document.querySelector('.facts').textContent")
    trials = page.run("[...document.querySelectorAll('.board-table tbody tr')].map((row) => Number(row.dataset.trial))")
    assert trials == board["trial"].to_list()
    page.wait("document.querySelectorAll('.share').length === 2")
    for selector in ("canvas.trends", "canvas.cells", "canvas.curve"):
        assert colors(page, selector) > 10


def test_the_selected_trial_is_the_same_everywhere(page, url, made_runs):
    show(page, url, "#sweep", f"{SWEPT} && {CURVED}")
    best, other = made_runs[1].leaderboard["trial"][:2].to_list()
    title = "document.querySelector('.trial-card h2').textContent"
    assert page.run(title) == f"Trial {best}"
    before = page.run("document.querySelector('canvas.trends').toDataURL()")
    page.run(f"document.querySelector('tr[data-trial=\"{other}\"]').click()")
    page.wait(f"{title} === 'Trial {other}' && location.hash.includes('trial={other}')")
    ends = {part: made_runs[1].histories[other][f"{part}_loss"][-1] for part in ("train", "val")}
    page.wait(f"Math.abs(JSON.parse(document.querySelector('.trial-card canvas.curve').dataset.drawn).val - {ends['val']}) < 1e-5")
    assert drawn(page, ".trial-card canvas.curve") == pytest.approx(ends, rel=1e-5)
    assert page.run("document.querySelector('tr[aria-selected=true]').dataset.trial") == str(other)
    assert page.run("document.querySelector('canvas.trends').toDataURL()") != before
    page.run("document.querySelector('tr[aria-selected=true]').focus()")
    page.key("ArrowUp")
    page.wait(f"{title} === 'Trial {best}' && document.activeElement.dataset.trial === '{best}'")
    page.run("document.querySelector('canvas.trends').focus()")
    page.key("ArrowRight")  # the next network along the axis
    page.wait(f"{title} !== 'Trial {best}' && !document.querySelector('.tip').hidden")


def test_a_press_on_a_cell_opens_its_best_network(page, url, root):
    show(page, url, "#sweep?map=learning_rate&map=optimizer", f"{SWEPT} && {CURVED}")
    press(page, "canvas.cells", 0.55, 0.2)
    page.wait("location.hash.includes('trial=')")
    trial = int(page.run("new URLSearchParams(location.hash.split('?')[1]).get('trial')"))
    table = mo.load_sweep(root / "sweep")
    row = table.filter(pl.col("trial") == trial).row(0, named=True)
    upper = json.loads(page.run("JSON.stringify([...document.querySelectorAll('.group-key')].map((key) => key.textContent))"))[-1]
    assert row["optimizer"] == upper
    assert row["learning_rate"] in (0.01, 0.03, 0.1)


def test_a_diverged_trial_says_what_happened(page, url, root):
    row = mo.load_sweep(root / "sweep").filter(pl.col("status") == "diverged").row(0, named=True)
    show(page, url, f"#sweep?trial={row['trial']}", SWEPT)
    page.wait(f"document.querySelector('.trial-card').textContent.includes('diverged at step {row['diverged_at']}')")
    page.wait("document.querySelector('.trial-card').textContent.includes('Trained again just now, to the same bits')")


def test_sorting_hiding_and_the_address(page, url, root):
    address = "#sweep?run=sweep&trial=3&x=learning_rate&sort=learning_rate&map=optimizer&map=learning_rate&hide=adam"
    show(page, url, address, SWEPT)
    page.wait("document.querySelector('.trial-card h2').textContent === 'Trial 3'")
    assert [name for name, _ in drawn(page, "canvas.trends", "medians")] == ["momentum"]
    cells = page.run("[...document.querySelectorAll('.board-table tbody tr')].map((row) => row.cells[1].textContent)")
    rates = [float(text.replace("−", "-")) for text in cells]
    assert rates == sorted(rates)
    assert page.run("[...document.querySelectorAll('.cells-card select')].map((s) => s.value)") == ["optimizer", "learning_rate"]
    assert page.run("document.querySelector('[aria-sort=ascending]').textContent").startswith("learning rate")
    page.wait(f"location.hash === '{address}'")
    page.run("[...document.querySelectorAll('.board-table th button')].find((b) => b.textContent.startsWith('val. loss')).click()")
    page.wait("location.hash.includes('sort=val_loss')")
    page.run("document.querySelector('.group-key[aria-pressed=false]').click()")
    page.wait("!location.hash.includes('hide=')")
    page.wait("JSON.parse(document.querySelector('canvas.trends').dataset.medians).length === 2")


def test_the_plane_that_is_drawn_is_the_one_in_the_folder(page, url, root):
    show(page, url, "#landscape", PLANE)
    with np.load(root / "plane" / "landscape.npz") as kept:
        found = {name: kept[name] for name in kept.files}
    ends = drawn(page, ".layer:nth-child(2)")
    for name in ("sgd", "adam"):
        np.testing.assert_allclose(ends[name], found[f"path/{name}/at"][-1], atol=1e-3)
    gap = found["path/sgd/loss"] - found["path/sgd/on_plane"]
    assert drawn(page, "canvas.low")["sgd"] == pytest.approx(gap[-1], abs=1e-5)
    lines = json.loads(page.run("document.querySelectorAll('.third canvas')[0].dataset.drawn"))
    assert lines == pytest.approx([found[f"line/{name}/loss"][-1] for name in ("sgd", "adam")], rel=1e-4)
    tops = json.loads(page.run("document.querySelectorAll('.third canvas')[2].dataset.drawn"))
    assert tops == pytest.approx({name: found[f"hessian/{name}/top"][-1, 0] for name in ("sgd", "adam")}, rel=1e-5)
    share = f"{100 * found['plane/explained'].sum():.0f} % of the paths' variance"
    assert share in page.run("document.querySelector('[aria-label=Gap]').textContent")
    assert colors(page, ".layer:nth-child(1)") > 50
    page.run("document.querySelector('[data-view=relief]').click()")
    page.wait("document.querySelectorAll('.layer')[2].dataset.drawn")
    assert colors(page, ".layer:nth-child(3)") > 50


def test_scrubbing_through_the_epochs(page, url, root):
    show(page, url, "#landscape?run=plane&t=1&hide=adam", PLANE)
    count = "document.querySelector('.count').value"
    with np.load(root / "plane" / "landscape.npz") as kept:
        at = kept["path/sgd/at"]
    assert page.run(count) == "1 / 3"
    ends = drawn(page, ".layer:nth-child(2)")
    assert set(ends) == {"sgd"}
    np.testing.assert_allclose(ends["sgd"], at[1], atol=1e-3)
    page.key("ArrowRight")
    page.wait(f"{count} === '2 / 3' && location.hash.includes('t=2') && location.hash.includes('hide=adam')")
    np.testing.assert_allclose(drawn(page, ".layer:nth-child(2)")["sgd"], at[2], atol=1e-3)
    page.key("Home")
    page.wait(f"{count} === '0 / 3'")
    page.key(" ")
    page.wait(f"{count} === '3 / 3'")
    page.run("document.querySelector('[aria-label=\"Show adam\"]').click()")
    page.wait("'adam' in JSON.parse(document.querySelectorAll('.layer')[1].dataset.drawn) && !location.hash.includes('hide')")


def test_a_trained_network_shows_its_curves(page, url, root):
    show(page, url, "#landscape?run=net", "document.querySelector('.trained canvas.curve')?.dataset.drawn")
    last = list(csv.DictReader((root / "net" / "history.csv").read_text().splitlines()))[-1]
    assert drawn(page, ".trained canvas.curve") == pytest.approx({part: float(last[f"{part}_loss"]) for part in ("train", "val")}, rel=1e-5)
    assert page.run("document.querySelector('.plane-board').hidden")
    page.run("(() => { const s = document.querySelector('select.run'); s.value = 'plane'; s.dispatchEvent(new Event('change')); })()")
    page.wait(f"{PLANE} && !document.querySelector('.plane-board').hidden && location.hash.includes('run=plane')")


def test_no_run_then_a_sweep_that_grows_then_none(page, url, root, tmp_path):
    folders.use(tmp_path)
    show(page, url, "#sweep", "document.querySelector('.empty') && !document.querySelector('.empty').hidden")
    assert "mlp-opt sweep" in page.run("document.querySelector('.empty code').textContent")
    new = tmp_path / "new"
    new.mkdir()
    for name in ("config.toml", "plan.json"):
        shutil.copy(root / "sweep" / name, new)
    page.wait("document.querySelector('.headline').textContent.startsWith('The first networks are training')", 20)
    lines = (root / "sweep" / "trials.jsonl").read_bytes().splitlines(keepends=True)
    (new / "trials.jsonl").write_bytes(b"".join(lines[:5]))
    page.wait("document.querySelector('.headline').textContent === '5 networks so far' && document.querySelector('.empty').hidden", 20)
    page.wait("document.querySelector('.live').textContent.startsWith('Under way')")
    (new / "trials.jsonl").write_bytes(b"".join(lines))
    page.wait("document.querySelector('.headline').textContent.startsWith('14 networks')", 20)
    shutil.rmtree(new)
    page.wait("document.querySelector('.error').textContent.includes('was it moved or deleted?')", 20)
    assert page.run("document.querySelector('.sheet').hidden")


@pytest.mark.parametrize("hash", ["#sweep?run=..%2Fnet", "#landscape?run=none", "#sweep?run=plane"])
def test_a_run_that_is_none_is_told(page, url, hash):
    page.open(url + hash)
    assert page.wait("document.querySelector('.error')?.textContent")
    page.wait("!document.querySelector('.error').hidden")


@pytest.mark.parametrize("hash", ["#sweep?trial=x&x=none&map=a&map=b&sort=none&hide=none", "#sweep?%", "#sweep?trial=1.2.3.4"])
def test_an_address_of_a_sweep_that_makes_no_sense_is_read_as_far_as_it_does(page, url, hash):
    show(page, url, hash, f"{SWEPT} && {CURVED}")
    assert page.run("document.querySelector('.error').hidden")


@pytest.mark.parametrize("hash", ["#landscape?t=-1&plane=99&turn=a,b&speed=nan&hide=none", "#landscape?t=1e9&view=none", "#landscape?%"])
def test_an_address_of_a_landscape_that_makes_no_sense_is_read_as_far_as_it_does(page, url, hash):
    show(page, url, hash, PLANE)
    assert page.run("document.querySelector('.error').hidden")


@pytest.mark.parametrize(
    ("hash", "until", "entry", "name", "begins"),
    [
        ("#sweep", SWEPT, "Sensitivity (PNG)", "sensitivity.png", b"\x89PNG"),
        ("#sweep", SWEPT, "All networks", "networks.csv", b"trial,fold,repeat,status,score,value,epochs,"),
        ("#sweep", SWEPT, "Best trials", "best-trials.csv", b"rank,trial,"),
        ("#landscape", PLANE, "Picture", "landscape.png", b"\x89PNG"),
        ("#landscape", PLANE, "CSV", "paths.csv", b"optimizer,step,x,y,height,loss,on_plane,gap"),
    ],
)
def test_exports(page, url, tmp_path, hash, until, entry, name, begins):
    show(page, url, hash, until)
    file = page.download(entry, tmp_path)
    assert file.name == name
    assert file.read_bytes().startswith(begins)
    lines = {"networks.csv": 15, "paths.csv": 1 + 2 * 4}
    if name in lines:
        assert len(file.read_text().splitlines()) == lines[name]


@pytest.mark.parametrize(("hash", "until"), [("#sweep", f"{SWEPT} && {CURVED}"), ("#landscape", PLANE)])
def test_narrow_screens_dark_and_names(page, url, hash, until):
    show(page, url, hash, until)
    for width in (1440, 1024, 390):
        page.resize(width, 844, touch=width < 500)
        page.wait(f"innerWidth === {width}")
        assert page.run("document.documentElement.scrollWidth") <= width
    light = page.run("getComputedStyle(document.body).backgroundColor")
    before = page.run("document.querySelector('main canvas').toDataURL()")
    page.prefer(prefers_color_scheme="dark")
    page.wait(f"getComputedStyle(document.body).backgroundColor !== '{light}'")
    page.wait(f"document.querySelector('main canvas').toDataURL() !== {json.dumps(before)}")
    page.prefer(prefers_color_scheme="light")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    kinds = {"button", "slider", "checkbox", "combobox", "textbox", "spinbutton", "tab", "image"}
    nameless = [n for n in nodes if not n.get("ignored") and n["role"]["value"] in kinds and not n.get("name", {}).get("value")]
    assert nameless == []


def test_each_tab_keeps_its_own_address(page, url):
    show(page, url, "#sweep?trial=2", SWEPT)
    page.run("[...document.querySelectorAll('#tabs a')].find((a) => a.textContent === 'Landscape').click()")
    page.wait(PLANE)
    page.key("Home")  # its address follows after a while
    page.run("[...document.querySelectorAll('#tabs a')].find((a) => a.textContent === 'Sweep').click()")
    page.wait(SWEPT)
    time.sleep(0.4)
    assert page.run("location.hash").startswith("#sweep?")
    assert "trial=2" in page.run("location.hash")
