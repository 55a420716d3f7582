"""libmapiwire from outside: its symbols, and a program built on its header alone."""
import json
import os
import random
import shutil
import subprocess

import pytest
from building import build, library  # noqa: F401, a fixture
from conftest import SOURCE_ROOT, USERS, run

PROGRAM = r"""
#include <mapiwire.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct mapiwire_options o = {.host = "127.0.0.1", .mapper_port = (uint16_t)atoi(argv[1]), .domain = "DEMO",
	                             .user = "alice", .password = argv[2]};
	struct mapiwire_interface interface;
	struct mapiwire *m = NULL;
	uint16_t port = 0;
	char *server = NULL;
	if (argc != 3 || mapiwire_new(&o, &m) < 0 || mapiwire_interface_named("rfr", &interface) < 0)
		return 1;
	if (mapiwire_map(m, &interface, &port) < 0 || mapiwire_referral(m, port, "", &server) < 0) {
		fprintf(stderr, "%s\n", mapiwire_error(m)->sentence);
		return 2;
	}
	printf("%u %s\n", port, server);
	free(server);
	return mapiwire_free(&m) < 0;
}
"""


def symbols(*words):
    lines = subprocess.run(["nm", *words], capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[-1].split("@")[0] for line in lines if len(line.split()) == 3}


def test_exports(library):
    shared = symbols("-D", "--defined-only", str(library / "libmapiwire.so")) - {"MAPIWIRE_0"}
    static = symbols("-g", "--defined-only", str(library / "libmapiwire.a"))
    assert shared and all(name.startswith("mapiwire_") for name in shared)
    assert {name for name in static if not name.startswith("__odr_asan")} == shared


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_program(library, server, tmp_path, kind):
    (tmp_path / "p.c").write_text(PROGRAM)
    build(library, tmp_path / "p.c", tmp_path / "p", kind)
    password = (server.state / "alice.password").read_text().strip()
    done = subprocess.run([tmp_path / "p", str(server.epm), password], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == str(server.rfr)


def test_header_is_cxx_too(tmp_path):
    compiler = shutil.which("c++")
    if not compiler:
        pytest.skip("no C++ compiler is installed")
    (tmp_path / "p.cc").write_text("#include <mapiwire.h>\nint main() { mapiwire *m = nullptr; return mapiwire_free(&m); }\n")
    subprocess.run([compiler, "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{SOURCE_ROOT / 'include'}",
                    tmp_path / "p.cc"], check=True)


def test_attachments_piece_by_piece(library, server, tmp_path):
    """The other example: what goes in comes out again, through streams of 64 KiB pieces, and the file's last one too."""
    attach = build(library, SOURCE_ROOT / "examples" / "attach.c", tmp_path / "attach")
    data = random.Random(7).randbytes(1_234_567)
    (tmp_path / "file").write_bytes(data)
    done = subprocess.run([attach, "127.0.0.1", str(server.epm), "DEMO", "alice", USERS["alice"][1], tmp_path / "file"],
                          capture_output=True)
    assert done.returncode == 0 and b"Sanitizer" not in done.stderr, done.stderr
    assert done.stdout == data


# ---- The event-loop form ----


@pytest.fixture
def watch_many(library, tmp_path):
    """The example, built on the header and the shared library alone."""
    return build(library, SOURCE_ROOT / "examples" / "watch_many.c", tmp_path / "watch_many")


def give_up(capture):
    """The co_cancel and orphaned PDUs of a conversation, in order."""
    shown = run("look", "--json", capture).stdout
    return [row["event"] for row in map(json.loads, shown.splitlines()) if row.get("event") in ("cancel", "orphaned")]


def test_several_clients_in_one_loop(watch_many, server, tmp_path):
    """Two mailboxes of two clients, both parked in one poll loop; both are woken; at the end both are cancelled."""
    words = [word for user in ("alice", "bob") for word in (user, USERS[user][1])]
    with subprocess.Popen([watch_many, "127.0.0.1", str(server.epm), "DEMO", *words], text=True, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, "MAPIWIRE_CAPTURE": str(tmp_path / "loop")}) as process:
        assert sorted(process.stdout.readline() for _ in range(2)) == ["alice: watching\n", "bob: watching\n"]
        for user in ("bob", "alice", "bob"):
            run("mail", "save", "--server", f"127.0.0.1:{server.epm}", "-U", f"DEMO\\{user}", "--password-file",
                server.state / f"{user}.password", "--subject", "x", stdin="body\n")
            assert process.stdout.readline() == f"{user}: change 0x4\n"
        process.stdin.close()
        rest = process.stdout.read()
        errors = process.stderr.read()
    assert process.returncode == 0 and "Sanitizer:" not in errors, rest + errors
    assert sorted(rest.splitlines()) == [f"{user}: The call was cancelled: EcDoAsyncWaitEx." for user in ("alice", "bob")]
    for user in ("alice", "bob"):
        assert give_up(tmp_path / f"loop.{user}.pcapng")[0] == "cancel"
