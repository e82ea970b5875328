"""Downloads: from a server on this machine that behaves well, badly or not at all."""

import hashlib
import http.server
import socket
import threading

import pytest

from minitorch_np import datasets
from minitorch_np.datasets.download import VARIABLE, find_or_download

CONTENT = b"the file as published" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self):
        self.asked.append(self.path)
        if self.path == "/missing/data.h5":
            self.send_error(404)
            return
        if self.path == "/busy/data.h5" and self.asked.count(self.path) < 3:
            self.send_error(503)
            return
        if self.path == "/silent/data.h5":
            self.server.quiet.wait(5)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(
            {"/wrong/data.h5": b"x" * len(CONTENT), "/short/data.h5": CONTENT[:100]}.get(self.path, CONTENT)
        )

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    Server.asked = []
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    running.quiet = threading.Event()
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.quiet.set()
    running.shutdown()
    running.server_close()


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_download_enters_the_cache_once(server):
    path = find_or_download(f"{server}/good/data.h5", SHA256)
    assert path.read_bytes() == CONTENT
    assert find_or_download(f"{server}/good/data.h5", SHA256) == path
    assert Server.asked == ["/good/data.h5"]
    assert files(path.parent) == [path]


def test_a_busy_server_is_tried_again(server):
    assert find_or_download(f"{server}/busy/data.h5", SHA256).read_bytes() == CONTENT
    assert len(Server.asked) == 3


@pytest.mark.parametrize(
    ("place", "reason", "times"),
    [
        ("missing", "404", 1),
        ("wrong", "the downloaded file has SHA-256", 3),
        ("short", "", 3),
        ("silent", "timed out", 3),
    ],
)
def test_what_fails_is_told_and_leaves_no_trace(server, tmp_path, place, reason, times):
    url = f"{server}/{place}/data.h5"
    with pytest.raises(datasets.DataUnavailable) as error:
        find_or_download(url, SHA256, timeout=0.2)
    message = str(error.value)
    assert reason in message
    assert url in message
    assert str(tmp_path / "cache" / "minitorch_np") in message
    assert VARIABLE in message
    assert len(Server.asked) == times
    assert files(tmp_path) == []


def test_offline_says_the_same(server):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(datasets.DataUnavailable, match=f"Download .* into .*minitorch_np, .* set {VARIABLE}"):
            find_or_download(f"http://127.0.0.1:{unused.getsockname()[1]}/data.h5", SHA256)


def test_the_variable_and_the_folder_come_before_the_internet(server, tmp_path, monkeypatch):
    for name in ("variable", "folder"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.h5").write_bytes(CONTENT)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "variable"))
    assert find_or_download(f"{server}/good/data.h5", SHA256) == tmp_path / "variable" / "data.h5"
    assert find_or_download(f"{server}/good/data.h5", SHA256, tmp_path / "folder") == tmp_path / "folder" / "data.h5"
    assert Server.asked == []


def test_a_file_of_that_name_with_other_content_is_refused(server, tmp_path):
    (tmp_path / "data.h5").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"not the published file \(SHA-256 .*Delete it, or put the file from"):
        find_or_download(f"{server}/good/data.h5", SHA256, tmp_path)
