"""Users, as an administrator keeps them."""
import json

from conftest import run


def secret(tmp_path, text):
    path = tmp_path / "secret"
    path.write_text(text + "\n", encoding="utf-8")
    return path


def test_list_shows_who_may_log_on(state):
    lines = [json.loads(line) for line in run("user", "list", "--state", state, "--json").stdout.splitlines()]
    assert [line["address"] for line in lines] == ["alice@demo.test", "bob@demo.test", "zoe@demo.test"]
    assert lines[2]["name"] == "Zoé Zürn" and lines[2]["account"] == "zoe"


def test_passwd_takes_effect_on_a_running_server(server, tmp_path):
    walk = ["walk", f"127.0.0.1:{server.epm}", "-U", "DEMO\\alice", "--password-file"]
    run(*walk, secret(tmp_path, "Wonderland-1"))
    run("user", "passwd", "alice", "--state", server.state, "--password-file", secret(tmp_path, "Changed-9"))
    assert run(*walk, secret(tmp_path, "Wonderland-1"), check=False).returncode == 20
    run(*walk, secret(tmp_path, "Changed-9"))


def test_remove_leaves_the_mailbox_file(state):
    done = run("user", "remove", "bob@demo.test", "--state", state)
    kept = done.stdout.rsplit("the mailbox file ", 1)[1].split(" stays")[0]
    assert kept.startswith(str(state)) and len(list((state / "mailboxes").glob("*.sqlite"))) == 3
    assert "bob" not in run("user", "list", "--state", state).stdout


def test_mistakes_are_one_sentence(state, tmp_path):
    password = secret(tmp_path, "x")
    for words, what in [
        (["add", "alice@demo.test", "--password-file", password], "exists already"),
        (["add", "alice", "--password-file", password], "no mail address"),
        (["passwd", "nobody", "--password-file", password], "there is no user nobody"),
        (["remove"], "say whom"),
        (["frob"], "say what to do"),
        (["add", "new@demo.test", "--password-file", tmp_path / "missing"], "Cannot read a password"),
    ]:
        done = run("user", *words, "--state", state, check=False)
        assert done.returncode != 0 and what in done.stderr, (words, done.stderr)
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_port_that_is_taken(server, state):
    done = run("serve", "--state", state, "--epm-port", server.epm, check=False)
    assert done.returncode == 2 and f"TCP port {server.epm} on 127.0.0.1 is taken" in done.stderr
