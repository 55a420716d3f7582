"""The process that serves, as users start it: it drops root's rights, and the kernel keeps it from connecting."""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

import pytest

from conftest import SOURCE_ROOT, Server, run, wait_for
from realm import KDC, Realm

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


# ---- The helper ----


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    if not KDC:
        pytest.skip("krb5-kdc is not installed")
    made = Realm(tmp_path_factory.mktemp("realm"))
    yield made
    made.stop()


@pytest.fixture
def keytab(open_state, realm):
    """A copy that only who starts the server may read."""
    path = pathlib.Path(f"{open_state}.keytab")
    replace(path, realm)
    yield path
    path.unlink(missing_ok=True)


def replace(keytab, realm):
    """As an administrator does: a new file in the place of the old one."""
    shutil.copy(realm.keytab, f"{keytab}.new")
    os.chmod(f"{keytab}.new", 0o600)
    os.rename(f"{keytab}.new", keytab)


@pytest.fixture
def kerberos_server(open_state, keytab):
    options = []
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "nobody", str(open_state)], check=True)
        options = ["--user", "nobody"]
    server = Server(open_state, "--keytab", str(keytab), *options)
    yield server
    server.stop()


def helper_of(server):
    children = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def logs_on(server, realm, host="host/aes.demo.test"):
    """Whether a fresh ticket for the host opens a connection; by impacket."""
    from test_kerberos import impacket_rpc
    rpcrt = pytest.importorskip("impacket.dcerpc.v5.rpcrt", reason="python3-impacket is not installed")
    os.environ["KRB5CCNAME"] = realm.tickets(host)[len("FILE:"):]
    try:
        rpc, mgmt = impacket_rpc(server.epm, "privacy", host.split("/")[1], None)
        return mgmt.hinq_if_ids(rpc)["if_id_vector"]["count"] > 0
    except rpcrt.DCERPCException:
        return False
    finally:
        del os.environ["KRB5CCNAME"]


def new_keys(realm, host="host/aes.demo.test"):
    """The KDC has another key for the host from now on; so has the realm's keytab, with the old one."""
    realm.admin(f"ktadd -k {realm.keytab} {host}")


@as_root
def test_the_server_cannot_read_what_the_helper_keeps(kerberos_server, keytab, realm):
    assert logs_on(kerberos_server, realm)
    assert status_of(kerberos_server)["Uid"].split()[0] == str(pwd.getpwnam("nobody").pw_uid)
    assert subprocess.run(["setpriv", "--reuid=nobody", "--clear-groups", "cat", keytab], capture_output=True).returncode != 0
    with open(f"/proc/{helper_of(kerberos_server)}/status", encoding="ascii") as file:
        helper = dict(line.rstrip("\n").split(":", 1) for line in file)
    assert helper["Name"].strip() == "mapiwire-helper" and helper["Uid"].split() == ["0"] * 4
    assert helper["Seccomp"].strip() == "2" and helper["Threads"].strip() == "1"
    descriptors = pathlib.Path(f"/proc/{helper_of(kerberos_server)}/fd")
    sockets = [os.readlink(each) for each in descriptors.iterdir()]
    assert sum(name.startswith("socket:") for name in sockets) == 1, sockets  # no port


def test_a_keytab_that_changes(kerberos_server, keytab, realm):
    assert logs_on(kerberos_server, realm)
    new_keys(realm)
    assert not logs_on(kerberos_server, realm)
    replace(keytab, realm)
    assert wait_for(lambda: f"read the keytab {keytab} anew" in kerberos_server.errors())
    assert logs_on(kerberos_server, realm)
    keytab.write_bytes(b"no keytab")
    assert wait_for(lambda: "it is no keytab of version 5.2; serves with the keys that it has" in kerberos_server.errors())
    keytab.unlink()
    assert wait_for(lambda: "anew: No such file or directory; serves with the keys" in kerberos_server.errors())
    assert logs_on(kerberos_server, realm)


def test_sighup_reads_anew(kerberos_server, keytab):
    kerberos_server.process.send_signal(signal.SIGHUP)
    assert wait_for(lambda: f"read the keytab {keytab} anew" in kerberos_server.errors())
    assert is_serving(kerberos_server)


def test_sighup_without_anything_to_read(server):
    server.process.send_signal(signal.SIGHUP)
    assert is_serving(server)
    assert pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text() == ""


def test_the_helper_dies(kerberos_server, realm):
    os.kill(helper_of(kerberos_server), signal.SIGKILL)
    assert wait_for(lambda: "the helper process has ended: serves with the keys that it has" in kerberos_server.errors())
    assert logs_on(kerberos_server, realm) and is_serving(kerberos_server)
    kerberos_server.process.send_signal(signal.SIGHUP)
    assert is_serving(kerberos_server)


def test_the_helper_ends_with_the_server(open_state, keytab):
    for end in (Server.stop, Server.kill):
        server = Server(open_state, "--keytab", str(keytab))
        helper = helper_of(server)
        end(server)
        assert wait_for(lambda: not pathlib.Path(f"/proc/{helper}").exists() or
                        "Z" in pathlib.Path(f"/proc/{helper}/stat").read_text().rpartition(")")[2])


@as_root
def test_a_key_of_roots_alone_is_read_again(open_state, tmp_path):
    """The serving process, which is nobody, may not read it; the helper does, and hands both over when they fit."""
    from test_web import served_certificate
    subprocess.run(["chown", "-R", "nobody", str(open_state)], check=True)
    for name in ("first", "second"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", f"/CN={name}", "-keyout", str(tmp_path / f"{name}.key"),
                        "-out", str(tmp_path / f"{name}.pem")], check=True, capture_output=True)
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    shutil.copy(tmp_path / "first.pem", cert)
    shutil.copy(tmp_path / "first.key", key)
    server = Server(open_state, "--user", "nobody", "--https-port", "0", "--tls-cert", str(cert), "--tls-key", str(key))
    before = served_certificate(server)
    shutil.copy(tmp_path / "second.key", key)
    assert wait_for(lambda: "and its key anew: the key is not that of the certificate" in server.errors())
    assert served_certificate(server) == before
    shutil.copy(tmp_path / "second.pem", cert)
    server.process.send_signal(signal.SIGHUP)
    assert wait_for(lambda: served_certificate(server) != before)
    assert key.stat().st_mode & 0o077 == 0
    server.stop()
