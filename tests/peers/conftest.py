"""What the tests against real peers share: a server of ours on loopback, with two users."""
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

SOURCE_ROOT = pathlib.Path(os.environ.get("SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[2]))
CAPTURES = pathlib.Path(os.environ.get("CAPTURES", SOURCE_ROOT.parent / "shared" / "captures"))
READY = re.compile(r"mapiwire serves on (\S+): mapper (\d+), rfr (\d+), nspi (\d+), store (\d+); encryption (\w+)")
WEB = re.compile(r"; (https|http|monitor) (\d+)")
USERS = {"alice": ("Alice Arnold", "Wonderland-1"), "bob": ("Bob Berger", "Builder-2"), "zoe": ("Zoé Zürn", "Zebra-3")}


# Whose the other side of a test is, for the sum that tests/run shows: said by @pytest.mark.peer("name", ...), else known from
# what the test's file imports.
PEER_OF_IMPORT = {"impacket": "impacket", "peer": "impacket", "rops": "impacket", "rops_more": "impacket",
                  "rops_permission": "impacket", "rops_rest": "impacket",
                  "samba": "Samba's client library"}


def pytest_configure(config):
    config.addinivalue_line("markers", "peer(name, ...): the foreign programs that the test talks to")


def pytest_collection_modifyitems(items):
    for item in items:
        mark = item.get_closest_marker("peer")
        origins = {(getattr(value, "__module__", None) or getattr(value, "__name__", "")).split(".")[0]
                   for value in vars(item.module).values()}
        names = mark.args if mark else {PEER_OF_IMPORT[origin] for origin in origins & set(PEER_OF_IMPORT)}
        item.user_properties += [("peer", name) for name in sorted(names)]


@pytest.fixture
def agree(request):
    """Says what of a real capture agrees with its truth, for the table that tests/run shows."""
    return lambda name, what, count: request.node.user_properties.append(("truth", f"{name}\t{what}\t{count}"))


def program():
    path = os.environ.get("MAPIWIRE")
    if not path or not os.access(path, os.X_OK):
        pytest.skip("the program was not built: set MAPIWIRE to it")
    return path


def run(*words, stdin=None, timeout=60, check=True):
    """Runs the program and yields the finished process with its output as text."""
    done = subprocess.run([program(), *map(str, words)], input=stdin, capture_output=True, text=True, timeout=timeout)
    if check:
        assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done


class Server:
    """`mapiwire serve` with its ports; users are those of USERS, in the domain DEMO."""

    def __init__(self, state, *options):
        self.state = state
        self.log = open(state / "serve.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [program(), "serve", "--state", str(state), "--epm-port", "0", *options],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        match = READY.match(line)
        assert match, f"no ready line: {line!r}\n{self.errors()}"
        self.host = match.group(1)
        self.epm, self.rfr, self.nspi, self.store = map(int, match.group(2, 3, 4, 5))
        self.web = {name: int(port) for name, port in WEB.findall(line)}

    def errors(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        errors = self.errors()
        assert code == 0, f"the server ended with {code}\n{errors}"
        assert "Sanitizer" not in errors, errors

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=30)


def make_state(path):
    for name, (display, password) in USERS.items():
        secret = path / f"{name}.password"
        secret.write_text(password + "\n", encoding="utf-8")
        run("user", "add", f"{name}@demo.test", "--name", display, "--state", path, "--password-file", secret)
    return path


@pytest.fixture(scope="session")
def state_template(tmp_path_factory):
    """A state directory with the users, made once; copy it."""
    return make_state(tmp_path_factory.mktemp("template"))


@pytest.fixture
def state(state_template, tmp_path):
    target = tmp_path / "state"
    subprocess.run(["cp", "-a", str(state_template), str(target)], check=True)
    return target


@pytest.fixture
def serve(state):
    """Starts servers on the state; they are stopped, and must end cleanly, after the test."""
    servers = []

    def start(*options):
        servers.append(Server(state, *options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def server(serve):
    return serve()


def wait_for(condition, seconds=10):
    """Whether the condition came true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False
