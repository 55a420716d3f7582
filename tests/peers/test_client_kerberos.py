"""Our client with Kerberos and SPNEGO: tickets of kinit's, passwords, and everything that can be wrong with either."""
import json
import shutil
import subprocess

import pytest

from conftest import program, wait_for
from realm import KDC, PASSWORD, REALM, STORE, Realm

pytestmark = [pytest.mark.skipif(not KDC, reason="krb5-kdc is not installed"), pytest.mark.peer("an MIT KDC")]
STEPS = 7


class Kerberos(Realm):
    """With accounts that may not log on, and a service whose key our server has not."""

    def __init__(self, path):
        super().__init__(path)
        for name, how in (("locked", "-allow_tix"), ("expired", "-expire 2020-01-01"), ("stale", "-pwexpire 2020-01-01")):
            self.admin(f"addprinc -pw {PASSWORD} {name}")
            self.admin(f"modprinc {how} {name}")

    def cache(self, *options):
        """A cache of its own with a ticket for alice."""
        cache = f"FILE:{self.path}/own-{len(list(self.path.glob('own-*')))}"
        self.command("kinit", *options, "-c", cache, f"alice@{REALM}", stdin=PASSWORD + "\n")
        return cache


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    made = Kerberos(tmp_path_factory.mktemp("realm"))
    yield made
    made.stop()


@pytest.fixture
def kerberos_server(serve, realm):
    return serve("--keytab", str(realm.keytab))


@pytest.fixture
def go(kerberos_server, realm, tmp_path):
    """Runs a command against the server; yields exit code, the rows of its JSON, and stderr."""
    secret = tmp_path / "secret"

    def start(command, *options, user=None, password=PASSWORD, cache=None, service=STORE, env=None):
        secret.write_text(password + "\n")
        host = f"127.0.0.1:{kerberos_server.epm}"
        words = [*command[:1], *(["list", "--server", host] if command == ["mail"] else [host]), *command[1:]]
        if user:
            words += ["-U", user, "--password-file", str(secret)]
        environment = {**realm.env, "KRB5CCNAME": cache or f"FILE:{tmp_path}/none", **(env or {})}
        done = subprocess.run([program(), *words, "--service", service, "--timeout", "8", "--json", *options],
                              env=environment, capture_output=True, text=True, timeout=60)
        assert "Sanitizer" not in done.stderr, done.stderr
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    return start


def cause(rows):
    """Of the first step that failed."""
    return next(row["cause"] for row in rows if row.get("cause"))


# ---- What works ----


@pytest.mark.parametrize("options, used", [
    ([], "kerberos"), (["--auth", "negotiate"], "kerberos"), (["--auth", "kerberos"], "kerberos"),
])
def test_tickets_of_kinit(go, realm, options, used):
    """Without -U the ticket says who it is; all seven steps, two sessions and the parked call among them."""
    code, rows, _ = go(["walk"], *options, cache=realm.cache())
    assert code == 0 and len(rows) == STEPS + 1 and rows[-1]["auth"] == used and rows[-1]["encrypted"] is True


def test_named_cache(go, realm):
    code, rows, _ = go(["walk"], "--auth", "kerberos", "--ccache", realm.cache())
    assert code == 0 and rows[-1]["auth"] == "kerberos"


@pytest.mark.parametrize("user, options, used", [
    ("alice@demo.test", ["--auth", "kerberos"], "kerberos"),
    ("DEMO\\alice", ["--auth", "kerberos"], "kerberos"),
    ("DEMO\\alice", ["--auth", "negotiate", "--realm", REALM], "kerberos"),
    ("DEMO\\alice", ["--auth", "negotiate", "--realm", "NOBODYS.TEST"], "ntlm"),
    ("DEMO\\alice", [], "ntlm"),
])
def test_password(go, user, options, used):
    """A ticket is asked for with the password; negotiate goes on with NTLM where there is none to be had."""
    code, rows, _ = go(["walk"], *options, user=user)
    assert code == 0 and rows[-1]["auth"] == used


@pytest.mark.parametrize("auth", ["ntlm", "kerberos", "negotiate"])
@pytest.mark.parametrize("level", ["connect", "call", "packet", "integrity", "privacy"])
def test_levels(go, auth, level):
    code, rows, _ = go(["ping", "nspi"], "--auth", auth, "--level", level, "-n", "5", user="DEMO\\alice")
    assert code == 0 and rows[0]["listening"]


@pytest.mark.parametrize("service", ["host/rc4.demo.test", "exchangeMDB/old.demo.test"])
def test_rc4(go, realm, service):
    code, rows, _ = go(["ping", "store"], "--auth", "kerberos", user="DEMO\\alice", service=service,
                       env={"KRB5_CONFIG": str(realm.path / "rc4.conf")})
    assert code == 0 and rows[0]["listening"]


def test_mail(go, realm):
    assert go(["mail"], cache=realm.cache())[0] == 0


# ---- What can be wrong ----


@pytest.mark.parametrize("what, expected, code", [
    ({"user": "DEMO\\alice", "password": "wrong"}, "credentials-refused", 20),
    ({"user": "DEMO\\nobody"}, "credentials-refused", 20),
    ({"user": "DEMO\\stranger"}, "credentials-refused", 20),
    ({"user": "DEMO\\locked"}, "account-locked", 21),
    ({"user": "DEMO\\expired"}, "account-expired", 37),
    ({"user": "DEMO\\stale"}, "password-expired", 42),
    ({"user": "DEMO\\alice", "service": "exchangeMDB/nobody.demo.test"}, "service-name-unknown", 41),
    ({"user": "DEMO\\alice", "service": "host/elsewhere.demo.test"}, "ticket-refused", 56),
    ({"user": "alice@nobodys.test"}, "kdc-unreachable", 55),
])
def test_refused(go, what, expected, code):
    exit_code, rows, _ = go(["walk"], "--auth", "kerberos", **what)
    assert (cause(rows), exit_code) == (expected, code)


def test_no_ticket(go, tmp_path):
    """Nothing to log on with is a mistake in the command line; a cache that was named and is not there is a cause."""
    code, rows, said = go(["walk"])
    assert code == 1 and not rows and "kinit" in said
    code, rows, _ = go(["walk"], "--auth", "kerberos", "--ccache", f"FILE:{tmp_path}/none", user="DEMO\\alice")
    assert (cause(rows), code) == ("no-ticket", 53)


class Changed(Kerberos):
    """A realm whose clients and KDC have one more line of configuration; the KDC may be started in another way."""

    def __init__(self, path, line, *before):
        super().__init__(path)
        self.stop()
        with open(path / "krb5.conf", "a", encoding="utf-8") as config:
            config.write(f"[libdefaults]\n {line}\n")
        self.process = subprocess.Popen([*before, KDC, "-n", "-P", str(path / "kdc.pid")], env=self.env,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert wait_for(self.answers), (path / "kdc.log").read_text()


class TestClocks:
    """A KDC two hours ahead, by which its clients do not set theirs."""

    @pytest.fixture(scope="class")
    def realm(self, tmp_path_factory):
        faketime = shutil.which("faketime")
        if not faketime:
            pytest.skip("faketime is not installed: tools/deps test installs it")
        made = Changed(tmp_path_factory.mktemp("skewed"), "kdc_timesync = 0", faketime, "-f", "+2h")
        yield made
        made.stop()

    def test_clock_skew(self, go):
        code, rows, _ = go(["walk"], "--auth", "kerberos", user="DEMO\\alice")
        assert (cause(rows), code) == ("clock-skew", 22)


class TestShortLives:
    """A ticket of one second, and nobody who looks five minutes away from it."""

    @pytest.fixture(scope="class")
    def realm(self, tmp_path_factory):
        made = Changed(tmp_path_factory.mktemp("strict"), "clockskew = 1")
        yield made
        made.stop()

    def test_ticket_expired(self, go, realm):
        cache = realm.cache("-l", "1s")
        assert wait_for(lambda: go(["ping", "store"], "--auth", "kerberos", cache=cache)[0] == 54)
        code, rows, _ = go(["walk"], "--auth", "kerberos", cache=cache)
        assert (cause(rows), code) == ("ticket-expired", 54)
