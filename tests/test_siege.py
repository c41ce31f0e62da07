"""The page's server under attack: a small part of `scripts/siege`, a tab that does not read, and a stop with tabs open."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from serving import Page, serving
from test_web import fetch

from mlp_opt.errors import InputError
from mlp_opt.web import app, limits, messages

SCRIPT = Path(__file__).parent.parent / "scripts/siege"


@pytest.mark.long
def test_a_small_siege():
    asked = ["--expressions", "250", "--valid", "2", "--messages", "100", "--tabs", "8", "--seconds", "3", "--hurry"]
    run = subprocess.run([sys.executable, SCRIPT, *asked], capture_output=True, text=True, timeout=400)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^250 texts in .* refused with one line", run.stdout, re.MULTILINE)
    assert "100 malformed messages, all answered" in run.stdout
    assert "8 tabs and one that does not read" in run.stdout
    assert "nothing was executed" in run.stdout


def test_the_siege_notices_what_is_executed():
    """The hook of the guarded server is there and speaks: otherwise nothing would ever be found."""
    fall = "import os, runpy, sys; from mlp_opt.web import serve; serve.main = lambda *_: os.system('true'); sys.argv = ['siege', 'serve']"
    code = f"{fall}; sys.path.insert(0, {str(SCRIPT.parent)!r}); runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert "FORBIDDEN os.system" in run.stderr


def test_kinds_that_a_page_makes_up_do_not_pile_up():
    slot = app.Slot(ThreadPoolExecutor(1), print)  # nobody works
    for k in range(limits.WAITING):
        slot.put(messages.Request(k, f"kind{k}", {}))
    with pytest.raises(InputError, match="wait already"):
        slot.put(messages.Request(99, "one more", {}))
    slot.put(messages.Request(100, "kind0", {}))  # the latest request of a kind still wins
    assert slot.waiting["kind0"].id == 100
    assert len(slot.waiting) == limits.WAITING


def test_files_being_made_are_counted(monkeypatch):
    from mlp_opt.web import bake

    hold, begun = threading.Event(), threading.Semaphore(0)

    def slowly(_):
        begun.release()
        hold.wait(30)
        return "made"

    monkeypatch.setattr(limits, "FILES", 1)
    monkeypatch.setattr(bake, "of_request", slowly)
    with serving() as url:
        found = []
        first = threading.Thread(target=lambda: found.append(fetch(url, "/bake", method="POST", body="{}", origin=url.rstrip("/"))[0]))
        first.start()
        assert begun.acquire(timeout=30)
        assert fetch(url, "/bake", method="POST", body="{}", origin=url.rstrip("/"))[0] == 503
        hold.set()
        first.join(30)
        assert found == [200]
        assert fetch(url, "/bake", method="POST", body="{}", origin=url.rstrip("/"))[0] == 200


def test_a_tab_that_does_not_read_stalls_no_other():
    """It asks for more than the connection can hold; the server waits for it alone, and keeps but the latest request."""

    def silent(url, stop):
        host = urlsplit(url)
        with socket.create_connection((host.hostname, host.port)) as raw:
            raw.sendall(
                f"GET /socket HTTP/1.1\r\nHost: {host.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            raw.settimeout(0.2)
            body = json.dumps({"id": 1, "kind": "race/surface", "surface": "booth"}).encode()
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):  # the server no longer reads
                    raw.sendall(bytes([0x81, 0x80 | len(body), 0, 0, 0, 0]) + body)  # masked with zeros
                time.sleep(0.002)

    stop = threading.Event()
    with serving() as url, Page(url) as page:
        page.ask("race/surface", surface="booth")
        thread = threading.Thread(target=silent, args=(url, stop))
        thread.start()
        try:
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                began = time.monotonic()
                assert page.ask("race/about")[0]["first"]
                assert time.monotonic() - began < 10
        finally:
            stop.set()
            thread.join(30)


def test_the_server_stops_at_ctrl_c_with_tabs_open():
    command = [sys.executable, "-m", "mlp_opt", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[0]
        with Page(url) as one, Page(url) as two:
            assert one.ask("race/about")[0]["first"]
            two.say("noise/cloud", at=[0, 0])  # under way
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=90)
    assert process.returncode == 0
    assert errors == ""
