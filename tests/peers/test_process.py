"""The process that serves, as users start it: it drops root's rights, and the kernel keeps it from connecting."""
import os
import pathlib
import pwd
import subprocess

import pytest

from conftest import SOURCE_ROOT, Server, run

PLAIN = pathlib.Path(os.environ.get("MAPIWIRE_PLAIN", SOURCE_ROOT / "build" / "mapiwire"))

pytestmark = pytest.mark.skipif(not PLAIN.exists(), reason="there is no build without sanitizers, which the filter is "
                                "not made for: run make build")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.setenv("MAPIWIRE", str(PLAIN))


@pytest.fixture
def open_state(state):
    """A state that others may enter: pytest's own directories are for one user."""
    target = pathlib.Path(f"/tmp/mapiwire-process-{os.getpid()}")
    subprocess.run(["cp", "-a", str(state), str(target)], check=True)
    yield target
    subprocess.run(["rm", "-rf", str(target)], check=True)


def status_of(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":", 1) for line in file)


def mail(server, *words, **more):
    return run("mail", *words, "--server", f"127.0.0.1:{server.epm}", "-U", "DEMO\\alice", "--password-file",
               server.state / "alice.password", **more).stdout


def is_serving(server):
    mail(server, "save", "--subject", "confined", stdin="x\n")
    return "confined" in mail(server, "list")


@as_root
def test_root_becomes_the_user(open_state):
    nobody = pwd.getpwnam("nobody")
    subprocess.run(["chown", "-R", "nobody", str(open_state)], check=True)
    server = Server(open_state, "--user", "nobody")
    assert is_serving(server)
    status = status_of(server)
    assert status["Uid"].split() == [str(nobody.pw_uid)] * 4
    assert status["Gid"].split() == [str(nobody.pw_gid)] * 4
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1"
    assert "root" not in server.errors() and "seccomp" not in server.errors()
    server.stop()


@as_root
def test_root_says_that_it_stays(serve):
    server = serve()
    assert status_of(server)["Uid"].split() == ["0"] * 4
    assert "serves as root" in server.errors() and "--user" in server.errors()
    assert is_serving(server)


def test_the_filter_can_be_left_out(serve):
    server = serve()
    assert is_serving(server)
    assert status_of(server)["Seccomp"].strip() == "2"
    server.stop()
    free = serve("--no-seccomp")
    assert is_serving(free)
    assert status_of(free)["Seccomp"].strip() == "0"


@as_root
def test_a_state_of_somebody_else(open_state):
    done = run("serve", "--state", open_state, "--epm-port", "0", "--user", "nobody", check=False)
    assert done.returncode != 0 and f"chown -R nobody {open_state}" in done.stderr


def test_a_user_that_is_not_there(state):
    done = run("serve", "--state", state, "--epm-port", "0", "--user", "nobody-here", check=False)
    assert done.returncode != 0 and "adduser --system nobody-here" in done.stderr
