"""The Noise tab in a real browser: it draws JAX's paths and gradients, follows the pointer, and is whole in its address."""

import json
import time

import browser
import numpy as np
import pytest
import test_page as pages

from mlp_opt.web import noise as tab

pytestmark = [
    pytest.mark.skipif(browser.find() is None, reason="no Chromium found: apt-get install chromium"),
    pytest.mark.implicit_promotion,
    pytest.mark.long,
]
DRAWN = pages.DRAWN
CLOUD = "JSON.parse(document.querySelector('canvas.tall').dataset.drawn ?? 'null')"
TABLES = "[...document.querySelectorAll('.facts tr')].map((row) => row.textContent)"


@pytest.fixture
def page(url, chromium):
    """The tab with all its numbers; at the end, no error and no request outside."""
    chromium.forget()
    chromium.resize(1280, 900)
    show(chromium, url + "#noise")
    yield chromium
    chromium.run("1")  # what it has still to tell
    assert chromium.errors == []
    assert chromium.outside(url) == []


def show(chromium, address):
    chromium.open(address)
    chromium.wait(f"!!({DRAWN} && {CLOUD} && {TABLES}.length > 6)", 120)


def ends(**body):
    with tab.computing():
        return dict(zip(tab.LOOKS, tab.paths(body).arrays["paths"][:, -1, :2], strict=True))


def test_paths_and_gradients_drawn_are_jaxs(page):
    for name, end in ends().items():
        np.testing.assert_allclose(page.run(DRAWN)[name], end, atol=1e-5, err_msg=name)
    cloud = page.run(CLOUD)
    with tab.computing():
        full = tab.cloud({"at": [float(v) for v in ends()["minibatch"]]}).arrays["full"]
    np.testing.assert_allclose(cloud["full"], full, atol=1e-5)
    assert (cloud["samples"], cloud["means"]) == (569, tab.MEANS)
    ground, over = pages.pixels(page, 0), pages.pixels(page, 1)
    assert len(np.unique(ground[..., :3].reshape(-1, 3), axis=0)) > 100
    for look in tab.LOOKS.values():
        rgb = [int(look.color[k : k + 2], 16) for k in (1, 3, 5)]
        assert (np.abs(over[..., :3].astype(int) - rgb).max(-1) + (over[..., 3] < 200) * 99 <= 2).sum() > 50, look


def test_dragging_the_start_moves_all_three(page):
    x, y, width, height = pages.box(page)
    before = page.run(DRAWN)
    page.run("performance.clearMeasures()")
    page.mouse("mousePressed", x + 0.3 * width, y + 0.3 * height)
    for k in range(30):
        page.mouse("mouseMoved", x + 0.3 * width + 3 * k, y + 0.3 * height + k)
        time.sleep(0.02)
    page.mouse("mouseReleased", x + 0.3 * width + 87, y + 0.3 * height + 29)
    start = [float(page.run(f"document.querySelector('[aria-label=\"Start, {axis}\"]').value")) for axis in ("weight", "bias")]
    expected = ends(start=start)["gd"]
    page.wait(f"Math.abs({DRAWN}.gd[0] - {expected[0]}) < 1e-2 && Math.abs({DRAWN}.gd[1] - {expected[1]}) < 1e-2")
    after = page.run(DRAWN)
    assert all(before[name] != after[name] for name in before)
    times = page.run("performance.getEntriesByName('drag').map((entry) => entry.duration)")
    print(f"\n{len(times)} frames, from input to drawn frame: 50 % {np.median(times):.0f} ms, 95 % {np.quantile(times, 0.95):.0f} ms")
    assert len(times) > 3


def test_the_batch_slider_moves_its_path_alone(page):
    before = page.run(DRAWN)
    page.run(
        "(() => { const s = document.querySelector('[aria-label=\"batch size b\"]'); s.value = Math.log10(7);"
        " s.dispatchEvent(new Event('input', { bubbles: true })); })()"
    )
    page.wait("document.querySelector('[data-method=minibatch]').textContent.includes('7 samples a step')")
    page.wait(f"JSON.stringify({DRAWN}.minibatch) !== '{json.dumps(before['minibatch'], separators=(',', ':'))}'")
    after = page.run(DRAWN)
    assert (before["gd"], before["sgd"]) == (after["gd"], after["sgd"])
    np.testing.assert_allclose(after["minibatch"], ends(batch=7)["minibatch"], atol=1e-5)
    page.wait(f"{TABLES}.some((row) => row.startsWith('48 runs of 7 at step 100'))")


def test_keys_and_numbers_follow_the_step(page):
    page.key("Home")
    page.wait("document.querySelector('.count').value === '0 / 100'")
    start = page.run(DRAWN)
    assert start["gd"] == start["sgd"] == start["minibatch"]
    with tab.computing():
        scale = tab.cloud({"at": start["gd"]}).header["scale"]
    page.wait(f"{TABLES}.some((row) => row.startsWith('noise scale') && Math.abs(parseFloat(row.split('²').pop()) / {scale} - 1) < 0.01)")
    page.key("ArrowRight", shift=True)
    page.wait("document.querySelector('.count').value === '10 / 100'")
    page.key(" ")
    page.wait("Number(document.querySelector('.count').value.split(' ')[0]) > 12")
    page.key(" ")


def test_the_address_holds_the_whole_state(page, url):
    address = "noise?x=mean+texture&a=3&b=9&steps=80&seed=4&draw=reshuffle&t=40&speed=2&focus=sgd&axis=samples&p=1%2C-2&hide=gd&show=seeds"
    show(page, f"{url}#{address}")
    page.wait("document.querySelector('.count').value === '40 / 80'")
    body = {"feature": "mean texture", "rate": 3, "batch": 9, "steps": 80, "seed": 4, "draw": "reshuffle", "start": [1.0, -2.0]}
    with tab.computing():
        expected = tab.paths(body).arrays["paths"][:, 40, :2]
    found = page.run(DRAWN)
    assert set(found) == {"sgd", "minibatch"}
    np.testing.assert_allclose([found["sgd"], found["minibatch"]], expected[1:], atol=1e-4)
    page.wait("document.querySelector('[data-axis=samples]').ariaPressed === 'true'")
    time.sleep(0.4)
    assert sorted(page.run("location.hash").split("?")[1].split("&")) == sorted(address.split("?")[1].split("&"))
    page.run("[...document.querySelectorAll('#tabs a')][0].click()")
    page.wait("document.title.endsWith('race') && location.hash.startsWith('#race')")
    page.run("[...document.querySelectorAll('#tabs a')].find((a) => a.textContent === 'Noise').click()")
    page.wait("document.querySelector('.count')?.value === '40 / 80'")


def test_nonsense_in_the_address_is_as_at_first(page, url):
    show(page, url + "#noise?d=none&x=zzz&a=-1&b=9999999&steps=1e9&draw=%00&schedule=x&focus=<b>&p=1e999,2&show=evil")
    for name, end in ends().items():
        np.testing.assert_allclose(page.run(DRAWN)[name], end, atol=1e-5)


def test_lessons(page):
    names = page.run("[...document.querySelectorAll('.chips .chip')].map((chip) => chip.dataset.lesson)")
    assert len(names) >= 6
    texts = set()
    for name in names[1:]:
        page.run(f"document.querySelector('[data-lesson={name}]').click()")
        page.wait(f"document.querySelector('[data-lesson={name}]').ariaPressed === 'true' && location.hash.includes('lesson={name}')")
        assert page.run("document.querySelector('.error').hidden")
        texts.add(page.run("document.querySelector('.lesson').textContent"))
    assert len(texts) == len(names) - 1


def test_the_paths_leave_as_a_table(page, tmp_path):
    lines = page.download("CSV", tmp_path).read_text().splitlines()
    assert len(lines) == 1 + 3 * 101
    assert lines[0] == "optimizer,step,x,y,loss,above,samples"
    assert lines[-1].startswith("minibatch,100,")
    assert page.download("PNG", tmp_path).read_bytes().startswith(b"\x89PNG")


def test_narrow_screens_and_names(page):
    for width in (1440, 1024, 390):
        page.resize(width, 844, touch=width < 500)
        page.wait(f"innerWidth === {width}")
        assert page.run("document.documentElement.scrollWidth") <= width
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    kinds = {"button", "slider", "checkbox", "combobox", "textbox", "spinbutton", "tab", "image"}
    assert [n for n in nodes if not n.get("ignored") and n["role"]["value"] in kinds and not n.get("name", {}).get("value")] == []
