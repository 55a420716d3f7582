"""TLS in the lens: real captures against their truths, what our own server says against tshark with the same key log."""
import collections
import json
import re
import shutil
import subprocess
import time

import pytest

from conftest import CAPTURES, program, run, wait_for
from test_look_export import needs_tshark
from test_web import ca, curl, https

HTTP = re.compile(r"(?:[\w ]+: (?:[\w, ]+, )?([A-Z_]+) (\S+)|HTTP answer (\d+).*)$")


def look(capture, *options):
    done = run("look", "--json", *options, capture)
    assert "Sanitizer" not in done.stderr, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def http(events):
    """Frame, and what was asked or answered."""
    found = []
    for e in events:
        match = HTTP.match(e["what"]) if e["event"] == "context" else None
        if match:
            found.append((e["last_frame"], *(("<", match[3]) if match[3] else (">", match[1], match[2]))))
    return found


def truth(name):
    known = json.loads((CAPTURES / f"{name}.truth.json").read_text())["http"]
    return [(frame, way, *rest[:1 if way == "<" else 2]) for frame, way, *rest in known]


@pytest.mark.parametrize("name, options", [
    ("tls12-secrets-block.pcapng", ()),
    ("tls13.pcap", ("--tls-keys", CAPTURES / "keys/tls13.keys")),
])
def test_real(agree, name, options):
    if not (CAPTURES / name).exists():
        pytest.skip(f"{name} is not there")
    expected = truth(name)
    events = look(CAPTURES / name, "--all", *options)
    assert len(expected) >= 4 and http(events) == expected
    assert {e.get("tls") for e in events} <= {None, f"TLS 1.{name[4]}"}
    agree(name, "plaintexts", len(expected))


def test_real_without_its_keys(tmp_path):
    capture = CAPTURES / "tls13.pcap"
    if not capture.exists():
        pytest.skip(f"{capture.name} is not there")
    events = look(capture, "--all")
    assert not http(events) and [e["what"] for e in events].count("TLS 1.3, AES-128-GCM") == 2
    assert "2 TLS connections stay sealed (--tls-keys)" in run("look", capture).stdout
    keys = (CAPTURES / "keys/tls13.keys").read_text().splitlines()
    second = tmp_path / "second.keys"
    second.write_text("\n".join(keys[4:]))
    events = look(capture, "--all", "--tls-keys", second)
    assert http(events) == truth(capture.name)[2:]
    assert [e["why_sealed"] for e in events if e.get("why_sealed")] == ["no key for this connection is in the TLS key log"]
    wrong = tmp_path / "wrong.keys"
    wrong.write_text("\n".join(line[:-2] + "00" for line in keys))
    events = look(capture, "--all", "--tls-keys", wrong)
    assert not http(events) and {e["why_sealed"] for e in events if e.get("why_sealed")} == \
        {"the secret in the TLS key log does not fit this connection"}
    findings = run("look", "--problems", "--tls-keys", wrong, capture).stdout
    assert "calls stay sealed: the secret in the TLS key log does not fit this connection." in " ".join(findings.split())


def test_a_key_log_that_is_none():
    done = run("look", "--tls-keys", "/nowhere/keys", "/dev/null", check=False)
    assert done.returncode == 1 and done.stderr == "mapiwire look: cannot read /nowhere/keys: No such file or directory.\n"


class Wire:
    """tcpdump on loopback, for what goes to the server's HTTPS port."""

    def __init__(self, path, port):
        if not shutil.which("tcpdump"):
            pytest.skip("tcpdump is not installed")
        self.path = path
        self.dump = subprocess.Popen(["tcpdump", "-i", "lo", "-U", "--immediate-mode", "-B", "8192", "-s", "0", "-w", path,
                                      "tcp", "port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        line = self.dump.stderr.readline()
        if "listening" not in line:
            pytest.skip(f"tcpdump does not listen: {line.strip()}")

    def stop(self):
        size = -1
        while size != self.path.stat().st_size:
            size = self.path.stat().st_size
            time.sleep(0.2)
        self.dump.terminate()
        self.dump.communicate(timeout=20)
        return self.path


KINDS = [("--tlsv1.3",), ("--tls-max", "1.2"), ("--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES256-SHA"),
         ("--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305"), ("--tls13-ciphers", "TLS_CHACHA20_POLY1305_SHA256")]


@needs_tshark
def test_own_server_as_tshark_sees_it(serve, tmp_path):
    keys = tmp_path / "keys"
    server = serve("--https-port", "0", "--tls-key-log", keys)
    wire = Wire(tmp_path / "tls.pcap", server.web["https"])
    for kind in KINDS:
        curl("--cacert", ca(server), *kind, https(server, "/healthz"), https(server, "/autodiscover/autodiscover.json/v1.0/a@demo.test?x=1"))
    capture = wire.stop()
    ours = http(look(capture, "--all", "--tls-keys", keys))
    fields = "frame.number", "http.request.method", "http.request.uri", "http.response.code"
    theirs = []
    done = subprocess.run(["tshark", "-n", "-o", f"tls.keylog_file:{keys}", "-d", f"tcp.port=={server.web['https']},tls", "-r",
                           str(capture), "-Y", "http", "-T", "fields", *(w for f in fields for w in ("-e", f))],
                          capture_output=True, text=True, timeout=60, check=True)
    for line in done.stdout.splitlines():
        frame, method, path, code = line.split("\t")
        theirs.append((int(frame), "<", code) if code else (int(frame), ">", method, path.split("?")[0]))
    assert len(ours) == 4 * len(KINDS) and ours == theirs
    seen = collections.Counter(e["what"] for e in look(capture, "--all") if e["event"] == "context")
    assert seen["TLS hello for 127.0.0.1"] + seen["TLS hello"] == len(KINDS)


def test_live_with_a_log_that_grows(serve, tmp_path):
    keys = tmp_path / "keys"
    keys.touch()
    server = serve("--https-port", "0", "--tls-key-log", keys)
    port = server.web["https"]
    with open(tmp_path / "seen", "w+") as out:
        seen = subprocess.Popen([program(), "look", "-i", "lo", "-f", f"tcp port {port}", "--json", "--all", "--tls-keys", keys],
                                stdout=out, stderr=subprocess.PIPE, text=True)
        try:
            def answered():
                curl("--cacert", ca(server), https(server, "/healthz"))
                if seen.poll() is not None:
                    pytest.skip(f"no live capture: {seen.stderr.read().strip()}")
                return "HTTP answer" in (tmp_path / "seen").read_text()
            assert wait_for(answered)
        finally:
            seen.terminate()
            seen.communicate(timeout=20)
