"""Who may not log on, and what the server's log says of it."""
import json
import sqlite3

import pytest
from impacket.dcerpc.v5 import mgmt
from impacket.dcerpc.v5.rpcrt import DCERPCException

from conftest import USERS, run
from peer import open_rpc

EXPIRED = 2  # enum directory_flags


def user(server, *words):
    return run("user", *words, "--state", server.state).stdout


def mail(server, name="alice"):
    return run("mail", "list", "--server", f"127.0.0.1:{server.epm}", "-U", f"DEMO\\{name}", "--password-file",
               server.state / f"{name}.password", "--timeout", "10", check=False).returncode


def refusals(server):
    return [line.split("authentication refused: ")[1] for line in server.errors().splitlines() if "refused" in line]


def no_secret_in(server):
    with sqlite3.connect(server.state / "directory.sqlite") as database:
        hashes = [row[0].hex() for row in database.execute("SELECT nt_hash FROM user")]
    text = server.errors().lower()
    return not any(word.lower() in text for word in hashes + [password for _, password in USERS.values()])


def test_a_locked_account_is_told_apart_and_unlocked(server):
    assert mail(server) == 0
    assert user(server, "lock", "alice@demo.test") == "alice@demo.test is locked\n"
    assert "alice" in user(server, "list") and "(locked)" in user(server, "list")
    rows = [json.loads(line) for line in user(server, "list", "--json").splitlines()]
    assert [row["account"] for row in rows if row["locked"]] == ["alice"]
    assert mail(server) != 0 and mail(server, "bob") == 0
    assert refusals(server) and set(refusals(server)) == {
        "user DEMO\\alice, 0xC0000234 The account is locked or disabled."}
    assert user(server, "unlock", "alice") == "alice@demo.test is unlocked\n"
    assert mail(server) == 0 and "(locked)" not in user(server, "list")
    assert no_secret_in(server)


def test_an_expired_account(server):
    with sqlite3.connect(server.state / "directory.sqlite") as database:
        database.execute("UPDATE user SET flags = ? WHERE account = 'alice'", [EXPIRED])
    assert mail(server) != 0
    assert set(refusals(server)) == {"user DEMO\\alice, 0xC0000193 The account has expired."}
    (server.state / "alice.password").write_text("guessed\n")
    assert mail(server) != 0
    assert refusals(server)[-1] == "user DEMO\\alice, 0xC000006D The server refused the user name or password."
    assert "(expired)" in user(server, "list")
    assert no_secret_in(server)


def test_nobody(server):
    (server.state / "mallory.password").write_text("guessed\n")
    assert mail(server, "mallory") != 0
    assert set(refusals(server)) == {"user DEMO\\mallory, 0xC000006D The server refused the user name or password."}


def manage(server, monkeypatch):
    """Whether impacket gets an answer that is sealed by what NTLMv1 agreed on."""
    monkeypatch.setattr("impacket.ntlm.USE_NTLMv2", False)
    rpc = open_rpc(server.epm)
    rpc.bind(mgmt.MSRPC_UUID_MGMT)
    try:
        return mgmt.hinq_if_ids(rpc)["if_id_vector"]["count"] > 0
    except DCERPCException as refused:
        assert "access_denied" in str(refused)
        return False


@pytest.mark.parametrize("options", [[], ["--ntlmv1"]])
def test_ntlm_v1_is_taken_on_request_alone(serve, monkeypatch, options):
    server = serve(*options)
    assert manage(server, monkeypatch) == bool(options)
    assert refusals(server) == ([] if options else [
        "user DEMO\\alice, 0xC0000418 The server does not take this kind of authentication."])
