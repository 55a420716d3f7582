"""`mapiwire walk ADDRESS` by Kerberos tickets, without a password: Autodiscover by Negotiate, the KDC is MIT's."""
import json
import subprocess

import pytest

from conftest import program
from realm import KDC, PASSWORD, REALM, STORE, Realm

pytestmark = [pytest.mark.skipif(not KDC, reason="krb5-kdc is not installed"), pytest.mark.peer("an MIT KDC")]


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    made = Realm(tmp_path_factory.mktemp("realm"))
    made.admin("addprinc -randkey HTTP/127.0.0.1")
    made.admin(f"ktadd -norandkey -k {made.keytab} HTTP/127.0.0.1")
    yield made
    made.stop()


@pytest.fixture
def go(serve, realm, tmp_path):
    """Walks from alice's address with tickets of a user's; which way they are named: by option or by the environment."""

    def start(*words, binding="optional", user="alice", by="option", trust=True):
        server = serve("--https-port", "0", "--host", "127.0.0.1", "--keytab", str(realm.keytab), "--channel-binding", binding)
        cache, none = f"FILE:{tmp_path}/cache", f"FILE:{tmp_path}/none"
        realm.command("kinit", "-f", "-c", cache, f"{user}@{REALM}", stdin=PASSWORD + "\n")
        done = subprocess.run(
            [program(), "walk", "alice@demo.test", "--server", f"127.0.0.1:{server.web['https']}", "--json", "--epm-port",
             str(server.epm), "--timeout", "8", *(["--ca-file", str(server.state / "tls-cert.pem")] if trust else []),
             *(["--ccache", cache] if by == "option" else []), *words],
            env={**realm.env, "KRB5CCNAME": none if by == "option" else cache}, capture_output=True, text=True, timeout=60)
        assert "Sanitizer" not in done.stderr, done.stderr
        return done, [json.loads(line) for line in done.stdout.splitlines()], server

    return start


@pytest.mark.parametrize("by", ["option", "environment"])
def test_from_address_by_ticket(go, realm, by):
    """MAPI over HTTP too, both by tickets; the server was lent none of the user's."""
    done, rows, server = go("--auth", "kerberos", "--mailbox", "alice", by=by)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows[0]["what"] == "settings" and rows[-1]["starts"] and rows[-1]["auth"] == "kerberos"
    asked = (realm.path / "kdc.log").read_text()
    assert "HTTP/127.0.0.1@DEMO.TEST" in asked and "krbtgt/DEMO.TEST@DEMO.TEST for krbtgt" not in asked


def test_from_address_over_tcp(go):
    done, rows, _ = go("--transport", "tcp", "--service", STORE)
    assert done.returncode == 0 and rows[-1]["auth"] == "kerberos", done.stdout + done.stderr


def test_who_is_no_user(go):
    done, rows, server = go(user="stranger")
    assert done.returncode == 76 and len(rows) == 1 and rows[0]["what"].startswith("401: no ticket for it"), done.stdout
    assert "Autodiscover's server took no Kerberos ticket" in done.stderr and "stranger" in server.errors()


def test_channel_binding_required(go):
    """libcurl binds no channel: told as what it may be, not as a wrong password."""
    done, rows, server = go(binding="required")
    assert done.returncode == 76 and "channel binding required" in rows[0]["what"], done.stdout
    assert "0xC000035B" in done.stderr and "password of" not in done.stderr and "0xC000035B" in server.errors()


def test_no_ticket_without_trust(go):
    done, rows, server = go("--insecure", trust=False)
    assert done.returncode == 1 and not rows and "not --insecure" in done.stderr
    done, rows, server = go(trust=False)
    assert done.returncode == 57 and "certificate is not trusted" in rows[0]["what"]
    assert "authentication" not in server.errors()
