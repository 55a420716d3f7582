"""`mapiwire walk` against our server, and against what can be wrong on the way."""
import json
import re
import shutil
import subprocess

import pytest
from awkward import Between, Mute, Reset, Silent, Web, closed_port, hand_out, hide_nspi
from conftest import Server, run

STEPS = ["name", "mapper", "referral", "address book", "store", "inbox", "notification"]
LINE = re.compile(r"(\d) (.{14})(\S*) +(.*?) +(?:(\d+) ms  (ok|FAILED)|-)$")


def walk(server, *options, user="alice", password=None, port=None, host="127.0.0.1"):
    secret = server.state / f"{user}.password"
    if password is not None:
        secret = server.state / "other.password"
        secret.write_text(password + "\n")
    return run("walk", f"{host}:{port or server.epm}", "-U", f"DEMO\\{user}", "--password-file", secret,
               "--timeout", "3", *options, check=False)


def walk_json(server, *options, **more):
    """The steps by name, the verdict, and the exit code, which the verdict repeats."""
    done = walk(server, "--json", *options, **more)
    assert "Sanitizer" not in done.stderr, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["name"] for r in rows[:-1]] == STEPS and [r["step"] for r in rows[:-1]] == list(range(1, 8))
    verdict = rows[-1]
    assert verdict["exit"] == done.returncode
    assert verdict["failed"] == [r["step"] for r in rows[:-1] if r["result"] == "failed"]
    return {r["name"]: r for r in rows[:-1]}, verdict


def results(steps):
    return [steps[name]["result"] for name in STEPS]


@pytest.fixture
def awkward():
    """Closes what a test opens with it."""
    opened = []

    def use(thing):
        opened.append(thing)
        return thing

    yield use
    for thing in opened:
        thing.close()


def test_whole_path(server):
    done = walk(server)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 8 and all(LINE.match(line) for line in lines[:7]), done.stdout
    assert [LINE.match(line).group(2).strip() for line in lines[:7]] == STEPS
    assert all(len(line) == len(lines[0]) for line in lines[:7]), "the columns do not line up"
    assert f":{server.epm}" in lines[1]
    assert f"rfr {server.rfr}, nspi {server.nspi}, store {server.store}" in lines[1]
    assert "Alice Arnold; 3 entries" in lines[3]
    assert re.search(r"parked, woken after \d+\.\d ms", lines[6])
    assert lines[7] == "Outlook would start. Encryption: used (NTLM, privacy); required by the server."


def test_whole_path_as_json(server):
    steps, verdict = walk_json(server)
    assert results(steps) == ["ok"] * 7
    assert steps["store"]["address"] == f"127.0.0.1:{server.store}"
    assert all(step["ms"] > 0 for step in steps.values())
    assert verdict == {"starts": True, "failed": [], "transport": "tcp", "auth": "ntlm", "level": "privacy", "encrypted": True,
                       "encryption_required": True, "exit": 0}


def test_leaves_no_message_behind(server):
    secret = server.state / "alice.password"
    common = ["--server", f"127.0.0.1:{server.epm}", "-U", "DEMO\\alice", "--password-file", secret]
    run("mail", "save", *common, "--subject", "only one", stdin="body\n")
    for _ in range(2):
        assert walk(server).returncode == 0
    assert "first 1 of 1 rows" in walk(server).stdout
    listed = run("mail", "list", *common, "--json").stdout.splitlines()
    assert [json.loads(line)["subject"] for line in listed] == ["only one"]


@pytest.mark.parametrize("level", ["none", "connect", "packet", "integrity"])
def test_encryption_is_required(server, level):
    steps, verdict = walk_json(server, "--level", level)
    assert steps["store"]["cause"] == "encryption-required"
    assert verdict["encryption_required"] is True
    if level == "none":  # the address book wants to know who asks
        assert steps["address book"]["cause"] == "anonymous-refused" and verdict["exit"] == 23
    else:
        assert results(steps) == ["ok"] * 4 + ["failed", "skipped", "skipped"] and verdict["exit"] == 24


@pytest.mark.parametrize("level", ["connect", "call", "packet", "integrity", "privacy"])
def test_encryption_is_optional(serve, level):
    steps, verdict = walk_json(serve("--encryption", "optional"), "--level", level)
    assert results(steps) == ["ok"] * 7
    assert verdict["encrypted"] is (level == "privacy") and verdict["encryption_required"] is False


def test_no_probe(server):
    steps, verdict = walk_json(server, "--no-probe")
    assert results(steps) == ["ok"] * 7 and "encryption_required" not in verdict
    assert "was not tried" in walk(server, "--no-probe").stdout


def test_wrong_password(server):
    steps, verdict = walk_json(server, password="nonsense")
    assert results(steps) == ["ok", "ok", "failed", "failed", "failed", "skipped", "skipped"]
    assert {steps[name]["cause"] for name in STEPS[2:5]} == {"credentials-refused"}
    assert "DEMO\\alice" in steps["store"]["sentence"] and verdict["exit"] == 20
    assert walk(server, password="nonsense").stdout.count("The same as in step 3.") == 2


def test_unknown_user(server):
    steps, verdict = walk_json(server, user="mallory", password="x")
    assert steps["store"]["cause"] == "credentials-refused" and verdict["exit"] == 20


def test_somebody_elses_mailbox(server):
    steps, verdict = walk_json(server, "--mailbox", "bob")
    assert results(steps) == ["ok"] * 4 + ["failed", "skipped", "skipped"]
    assert steps["store"]["cause"] == "no-mailbox-access" and verdict["exit"] == 26


def test_unknown_mailbox(server):
    steps, verdict = walk_json(server, "--mailbox", "nobody-here")
    assert steps["address book"]["cause"] == "unknown-mailbox" and verdict["exit"] == 25
    assert "nobody-here" in steps["address book"]["sentence"]


def test_name_not_found(server):
    steps, verdict = walk_json(server, host="no-such-host.invalid")
    assert results(steps) == ["failed"] + ["skipped"] * 6
    assert steps["name"]["cause"] == "name-not-found" and verdict["exit"] == 10


def test_mapper_refused(server):
    port = closed_port()
    steps, verdict = walk_json(server, port=port)
    assert results(steps) == ["ok", "failed"] + ["skipped"] * 5
    assert steps["mapper"]["cause"] == "port-refused" and str(port) in steps["mapper"]["sentence"]
    assert verdict["exit"] == 11


@pytest.mark.parametrize("kind, cause, code", [(Silent, "port-filtered", 12), (Web, "not-rpc", 15),
                                               (Mute, "no-answer", 30), (Reset, "connection-lost", 31)])
def test_mapper_is_no_mapper(server, awkward, kind, cause, code):
    steps, verdict = walk_json(server, "--timeout", "0.5", port=awkward(kind()).port)
    assert (steps["mapper"]["cause"], verdict["exit"]) == (cause, code)


def test_blocked_dynamic_port(server, awkward):
    """The picture in the design: what does not depend on the address book goes on."""
    silent = awkward(Silent())
    mapper = awkward(Between(server.epm, to_client=hand_out(server.nspi, silent.port)))
    steps, verdict = walk_json(server, "--timeout", "1.5", port=mapper.port)
    assert results(steps) == ["ok"] * 3 + ["failed"] + ["ok"] * 3
    assert steps["address book"]["cause"] == "dynamic-port-blocked" and verdict["exit"] == 14
    assert steps["address book"]["sentence"] == (
        f"The mapper hands out {silent.port}, but nothing answers there; {mapper.port} does. A firewall, most likely.")
    assert steps["address book"]["try"].startswith(f"Open {silent.port}, or fix the port (")
    assert "guessed" in steps["store"]["what"]
    text = walk(server, "--timeout", "1.5", port=mapper.port).stdout
    assert re.search(rf"^4 address book  :{silent.port} +no answer to SYN +\d+ ms  FAILED$", text, re.M), text
    assert "Outlook would not start: step 4. Encryption: used (NTLM, privacy); required by the server. Exit 14." in text


def test_dynamic_port_refused(server, awkward):
    port = closed_port()
    mapper = awkward(Between(server.epm, to_client=hand_out(server.store, port)))
    steps, verdict = walk_json(server, port=mapper.port)
    assert results(steps) == ["ok"] * 4 + ["failed", "skipped", "skipped"]
    assert steps["store"]["cause"] == "dynamic-port-refused" and verdict["exit"] == 13


def test_interface_not_registered(server, awkward):
    mapper = awkward(Between(server.epm, to_server=hide_nspi))
    steps, verdict = walk_json(server, port=mapper.port)
    assert results(steps) == ["ok", "failed", "ok", "skipped", "ok", "ok", "ok"]
    assert steps["mapper"]["what"] == f"rfr {server.rfr}, nspi not registered, store {server.store}"
    assert steps["mapper"]["cause"] == "interface-not-registered" and verdict["exit"] == 16


def test_port_of_another_service(server, awkward):
    mapper = awkward(Between(server.epm, to_client=hand_out(server.nspi, server.rfr)))
    steps, verdict = walk_json(server, port=mapper.port)
    assert steps["address book"]["cause"] == "interface-refused" and verdict["exit"] == 17


class Cutting(Between):
    """Cuts the connection on which asyncemsmdb is bound."""

    def __init__(self, port):
        super().__init__(port, to_server=self.look)

    @staticmethod
    def look(data):
        if bytes.fromhex("4a57615272456e20b2686b199213b4e4") in data:
            raise OSError("cut")
        return data

    def serve(self, s):
        super().serve(s)
        s.close()


def test_second_connection_is_cut(server, awkward):
    """A notification that cannot come is told as a cut connection, in time."""
    store = awkward(Cutting(server.store))
    mapper = awkward(Between(server.epm, to_client=hand_out(server.store, store.port)))
    steps, verdict = walk_json(server, port=mapper.port)
    assert results(steps) == ["ok"] * 6 + ["failed"]
    assert steps["notification"]["cause"] == "connection-lost" and verdict["exit"] == 31


# ---- The capture of one's own conversation ----


def tshark(path, *options):
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    return subprocess.run(["tshark", "-r", str(path), "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
                           *options], capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.peer("tshark")
def test_capture(server, tmp_path):
    path = tmp_path / "walk.pcapng"
    assert walk(server, "-w", path).returncode == 0
    assert path.stat().st_mode & 0o777 == 0o600
    bad = '_ws.malformed or tcp.checksum.status == "Bad" or ip.checksum.status == "Bad" or tcp.analysis.flags'
    assert tshark(path, "-Y", bad) == ""
    connects = tshark(path, "-Y", "tcp.flags.syn == 1 and tcp.flags.ack == 0").splitlines()
    accepted = tshark(path, "-Y", "tcp.flags.syn == 1 and tcp.flags.ack == 1").splitlines()
    assert len(connects) == len(accepted) == 7  # mapper, rfr, nspi, store, parked, second session, probe
    assert len(tshark(path, "-Y", "tcp.flags.fin == 1").splitlines()) == 14
    ports = set(tshark(path, "-T", "fields", "-e", "tcp.dstport").split())
    assert {str(p) for p in (server.epm, server.rfr, server.nspi, server.store)} <= ports


def test_capture_shows_nothing_that_was_sealed(server, tmp_path):
    path = tmp_path / "walk.pcapng"
    assert walk(server, "-w", path).returncode == 0
    data = path.read_bytes()
    for secret in ("Alice Arnold", "alice@demo.test", "Wonderland-1"):
        assert secret.encode() not in data and secret.encode("utf-16-le") not in data


@pytest.mark.peer("tshark")
def test_capture_of_failures(server, awkward, tmp_path):
    silent = awkward(Silent())
    path = tmp_path / "walk.pcapng"
    mapper = awkward(Between(server.epm, to_client=hand_out(server.nspi, silent.port)))
    walk(server, "--timeout", "1.5", "-w", path, port=mapper.port)
    assert len(tshark(path, "-Y", f"tcp.dstport == {silent.port}").splitlines()) == 1
    refused = closed_port()
    walk(server, "-w", path, port=refused)
    assert len(tshark(path, "-Y", f"tcp.srcport == {refused} and tcp.flags.reset == 1").splitlines()) == 1


def test_capture_cannot_be_written(server, tmp_path):
    done = walk(server, "-w", tmp_path / "no" / "such" / "dir.pcapng")
    assert done.returncode == 1 and "Name another file" in done.stderr


# ---- The command line ----


@pytest.mark.parametrize("words, says", [
    ([], "which server"),
    (["host:0"], "no HOST"),
    (["host:99999"], "no HOST"),
    (["host:1", "--epm-port", "2", "-U", "x"], "two ports"),
    (["host"], "who logs on"),
    (["host", "-U", "x", "--level", "some"], "--level is"),
    (["host", "-U", "x", "--color", "pink"], "--color is"),
    (["host", "-U", "x", "--password-file", "/no/such/file"], "Cannot read a password"),
    (["host", "--nonsense"], "no option"),
])
def test_usage(words, says):
    done = run("walk", *words, check=False)
    assert done.returncode == 1 and says in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_help_tells_the_exit_codes():
    text = run("walk", "--help").stdout
    assert "Exit code: 0 when Outlook would start" in text
    assert max(len(line) for line in text.splitlines()) <= 112


# ---- Another server ----


@pytest.fixture
def two_servers(serve, state_template, tmp_path):
    """The second at another address, with the same mapper port and the same users."""
    servers = []

    def start(*options):
        first = serve("--host", "127.0.0.2", *options)
        subprocess.run(["cp", "-a", str(state_template), str(tmp_path / "second")], check=True)
        servers.append(Server(tmp_path / "second", "--listen", "127.0.0.2", "--epm-port", str(first.epm)))
        return first, servers[0]

    yield start
    for each in servers:
        each.stop()


def test_referral_to_another_server(two_servers):
    """As Outlook the walk goes to the server that the referral names for the address book, and says so."""
    first, second = two_servers()
    steps, verdict = walk_json(first)
    assert results(steps) == ["ok"] * 7 and verdict["exit"] == 0
    assert steps["referral"]["what"] == "address book: 127.0.0.2"
    assert steps["address book"]["address"] == f"127.0.0.2:{second.nspi}"
    assert steps["store"]["address"] == f"127.0.0.1:{first.store}"
    assert re.search(rf"^4 address book  :{second.nspi} +at 127\.0\.0\.2: Alice Arnold; 3 entries", walk(first).stdout, re.M)


def test_referral_to_nowhere(serve):
    """The name does not resolve: Outlook would have no address book."""
    steps, verdict = walk_json(serve("--host", "no-such-host.invalid"))
    assert results(steps)[2:4] == ["ok", "failed"] and verdict["exit"] == 10
    assert steps["address book"]["cause"] == "name-not-found"
    assert "no-such-host.invalid" in steps["address book"]["sentence"]


def test_referral_to_the_same_by_another_name(serve):
    server = serve("--host", "localhost")
    steps, verdict = walk_json(server)
    assert verdict["exit"] == 0 and steps["address book"]["address"].endswith(f":{server.nspi}")


def test_mailbox_on_another_server(two_servers):
    """The log-on names the mailbox's server: the walk goes there, and on from there."""
    first, second = two_servers("--moved", "alice=127.0.0.2")
    steps, verdict = walk_json(first)
    assert results(steps) == ["ok"] * 7 and verdict["exit"] == 0, steps
    assert steps["store"]["what"] == "sent on to 127.0.0.2; logged on"
    assert steps["store"]["address"] == steps["notification"]["address"] == f"127.0.0.2:{second.store}"


@pytest.mark.parametrize("there, cause, code", [("127.0.0.3", "port-refused", 11),
                                                ("no-such-host.invalid", "wrong-server", 27)])
def test_mailbox_on_a_server_that_is_away(serve, there, cause, code):
    steps, verdict = walk_json(serve("--moved", f"alice={there}"))
    assert steps["store"]["cause"] == cause and verdict["exit"] == code
    assert steps["store"]["what"].startswith(f"sent on to {there}")
