"""A TensorBoard server on the loopback interface, and a plain one for the projector's page alone."""

import http.server
import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path


class TensorBoard:
    def __init__(self, logdir, output):
        self.log = open(output / "tensorboard.log", "w+b")
        command = [Path(sys.executable).with_name("tensorboard"), "--logdir", logdir, "--host", "127.0.0.1", "--port", "0",
                   "--reload_interval", "1", "--samples_per_plugin", "images=100"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        self.url = self.wait_for(self.announced)

    def announced(self):
        if self.process.poll() is not None:
            raise AssertionError("TensorBoard ended: " + self.text())
        found = re.search(r"at (http://127\.0\.0\.1:\d+)/", self.text())
        return found and found.group(1)

    def text(self):
        return Path(self.log.name).read_text(errors="replace")

    @staticmethod
    def wait_for(condition, seconds=60, what=""):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"nothing after {seconds} s: {what or condition}")

    def get(self, path, **query):
        """The body of an answer. Raises urllib.error.HTTPError for status 400 and above."""
        if query:
            path += "?" + urllib.parse.urlencode(query)
        with urllib.request.urlopen(self.url + path, timeout=120) as answer:
            return answer.read()

    def json(self, path, **query):
        return json.loads(self.get(path, **query))

    def plugin(self, path, **query):
        return self.json("/data/plugin/" + path, **query)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()


class PageAlone(http.server.SimpleHTTPRequestHandler):
    """The files of a folder, and in each folder of it page.html: the projector without TensorBoard."""

    page = ""
    script = b""

    def do_GET(self):
        if self.path.endswith("/page.html"):
            self.answer(self.page.encode(), "text/html; charset=utf-8")
        elif self.path.startswith(("/font-roboto/", "/favicon.ico")):  # only TensorBoard has them
            self.answer(b"", "font/woff2")
        elif self.path.endswith("/projector_binary.js"):
            self.answer(self.script, "text/javascript")
        else:
            super().do_GET()

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve_page_alone(folder):
    """Serves `folder`; returns the server and its address."""
    from tensorboard.plugins.projector import projector_plugin

    assets = Path(projector_plugin.__file__).parent / "tf_projector_plugin"
    html = (assets / "projector_binary.html").read_text()
    alone = '<vz-projector serving-mode="demo" projector-config-json-path="projector_config.json"></vz-projector>'
    PageAlone.page, count = re.subn(r"<vz-projector-dashboard\b.*?</vz-projector-dashboard>", alone, html, flags=re.DOTALL)
    assert count == 1, "the projector's page has changed"
    PageAlone.script = (assets / "projector_binary.js").read_bytes()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *arguments: PageAlone(*arguments, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"
