"""What libmapiwire does when a connection is lost, a call gets no answer, or the server is too busy."""
import contextlib
import socket
import struct
import subprocess
import threading

import pytest
from awkward import Between, hand_out
from building import build, library  # noqa: F401, a fixture
from conftest import USERS, run, wait_for

# Reads a word a line, does it, and says how it ended.
PROGRAM = r"""
#include <mapiwire.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mapiwire *m;
static struct mapiwire_store *store;
static struct mapiwire_book *book;
static struct mapiwire_table *table;
static struct mapiwire_watch *watch;
static uint64_t inbox;
static const uint32_t tags[] = {0x3003001F, 0x3001001F};

static int port_of(const char *name, uint16_t *port)
{
	struct mapiwire_interface interface;
	int r = mapiwire_interface_named(name, &interface);
	return r < 0 ? r : mapiwire_map(m, &interface, port);
}

static int open_all(void)
{
	struct mapiwire_rows rows;
	uint16_t nspi = 0, port = 0;
	int r = port_of("nspi", &nspi);
	if (r == 0)
		r = port_of("store", &port);
	if (r == 0)
		r = mapiwire_book_open(m, nspi, &book);
	if (r == 0)
		r = mapiwire_book_resolve(book, "alice", tags, 2, &rows);
	if (r < 0)
		return r;
	r = mapiwire_store_open(m, port, mapiwire_row_find(&rows, 0, tags[0])->text, &store);
	mapiwire_rows_free(&rows);
	return r < 0 ? r : mapiwire_folder_find(store, "inbox", &inbox);
}

static int act(const char *word)
{
	struct mapiwire_rows rows = {0};
	struct mapiwire_event event;
	const struct mapiwire_draft draft = {.subject = "one", .body = "body"};
	uint16_t port;
	int r = MAPIWIRE_E_ARGUMENT;
	if (strcmp(word, "open") == 0)
		return open_all();
	if (strcmp(word, "map") == 0)
		return port_of("rfr", &port);
	if (strcmp(word, "table") == 0) {
		mapiwire_table_close(&table);
		return mapiwire_table_open(store, inbox, MAPIWIRE_MESSAGES, tags, 1, 0, false, &table);
	}
	if (strcmp(word, "watch") == 0)
		return mapiwire_watch_open(store, inbox, MAPIWIRE_CREATED, &watch);
	if (strcmp(word, "next") == 0)
		return mapiwire_watch_next(watch, 5000, &event);
	if (strcmp(word, "save") == 0)
		return mapiwire_message_save(store, inbox, &draft, NULL);
	if (strcmp(word, "get") == 0)
		r = mapiwire_folder_get(store, inbox, tags + 1, 1, &rows);
	if (strcmp(word, "read") == 0)
		r = mapiwire_table_read(table, 10, &rows);
	if (strcmp(word, "resolve") == 0)
		r = mapiwire_book_resolve(book, "alice", tags, 2, &rows);
	if (strcmp(word, "first") == 0)
		r = mapiwire_book_first(book, tags, 2, 5, &rows, NULL);
	if (r == 0)
		mapiwire_rows_free(&rows);
	return r;
}

int main(int argc, char **argv)
{
	const struct mapiwire_options o = {.host = "127.0.0.1", .mapper_port = (uint16_t)strtoul(argv[1], NULL, 10),
	                                   .domain = "DEMO", .user = "alice", .password = argv[2], .timeout_ms = 5000,
	                                   .level = argc > 3 ? MAPIWIRE_LEVEL_CONNECT : MAPIWIRE_LEVEL_PRIVACY};
	char word[32];
	if (mapiwire_new(&o, &m) < 0)
		return 1;
	while (scanf("%31s", word) == 1) {
		int r = act(word);
		printf("%s %s\n", word, r == 0 ? "ok" : mapiwire_error(m)->cause);
		fflush(stdout);
	}
	mapiwire_watch_close(&watch);
	mapiwire_table_close(&table);
	mapiwire_book_close(&book);
	mapiwire_store_close(&store);
	return mapiwire_free(&m) < 0;
}
"""


class Cut(Between):
    """A way that can be cut: all its connections at once."""

    def cut(self):
        for s in self.open:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        self.open.clear()


@pytest.fixture
def actor(library, tmp_path):
    (tmp_path / "p.c").write_text(PROGRAM)
    built = build(library, tmp_path / "p.c", tmp_path / "p")
    started = []

    def start(port, *more):
        process = subprocess.Popen([built, str(port), USERS["alice"][1], *more], text=True, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(process)

        def act(word):
            process.stdin.write(word + "\n")
            process.stdin.flush()
            return process.stdout.readline().split()[1]

        return act

    yield start
    for process in started:
        errors = process.communicate(timeout=30)[1]
        assert process.returncode == 0 and "Sanitizer" not in errors, errors


def save(server):
    run("mail", "save", "--server", f"127.0.0.1:{server.epm}", "-U", "DEMO\\alice", "--password-file",
        server.state / "alice.password", "--subject", "x", stdin="body\n")


def test_reconnects(server, actor):
    """Each kind of connection is cut while nothing is under way: the next call goes over a new one, in a new
    association, without the caller's doing. What lived in the old session says that it is gone."""
    ways = [Cut(port) for port in (server.nspi, server.store)]
    mapper = Cut(server.epm, to_client=lambda b: hand_out(server.store, ways[1].port)(
        hand_out(server.nspi, ways[0].port)(b)))
    act = actor(mapper.port)
    assert [act(word) for word in ("open", "save", "table", "read", "map")] == ["ok"] * 5
    for way in (mapper, *ways):
        way.cut()
    assert [act(word) for word in ("map", "resolve", "first", "get", "save")] == ["ok"] * 5
    assert act("read") == "connection-lost"
    assert [act(word) for word in ("table", "read")] == ["ok"] * 2
    ways[1].cut()
    assert [act(word) for word in ("read", "get", "read")] == ["connection-lost", "ok", "connection-lost"]


def test_watch_after_a_loss(server, actor):
    """A lost watch is told once, since changes may have been missed; then it watches again."""
    way = Cut(server.store)
    mapper = Cut(server.epm, to_client=hand_out(server.store, way.port))
    act = actor(mapper.port)
    assert [act(word) for word in ("open", "watch")] == ["ok", "ok"]
    way.cut()
    assert act("next") == "connection-lost"
    save(server)
    save_later = threading.Timer(0.5, save, [server])
    save_later.start()
    assert act("next") == "ok"
    save_later.join()


def test_server_is_gone(serve, state, actor):
    """Until it is back: the ports that the mapper handed out are asked again."""
    server = serve()
    fixed = ["--rfr-port", str(server.rfr), "--nspi-port", str(server.nspi), "--store-port", str(server.store)]
    act = actor(server.epm)
    assert act("open") == "ok"
    server.stop()
    assert [act(word) for word in ("get", "resolve")] == ["dynamic-port-refused"] * 2
    second = serve(*fixed)
    assert [act(word) for word in ("get", "resolve", "save")] == ["ok"] * 3
    assert second.store == server.store


# ---- The PDUs, on a connection that is not protected ----


def pdus(data):
    while len(data) >= 16:
        size = struct.unpack_from("<H", data, 8)[0]
        yield data[:size]
        data = data[size:]


class Busy(Between):
    """Too busy for the first few EcDoRpcExt2, which it answers itself. Of our server's pcRetry and pcmsRetryDelay it
    makes the latter shorter."""

    def __init__(self, port, refusals):
        self.refusals, self.refused = refusals, 0
        super().__init__(port, to_client=lambda data: data.replace(struct.pack("<II", 6, 10000), struct.pack("<II", 6, 20)))

    def pump(self, source, target, change):
        try:
            while data := source.recv(65536):
                rest = b"".join(self.pass_on(pdu, source, change) for pdu in pdus(data))
                if rest:
                    target.sendall(rest)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def pass_on(self, pdu, source, change):
        request = change is self.to_server and pdu[2] == 0 and struct.unpack_from("<H", pdu, 22)[0] == 11
        if not request or self.refused == self.refusals:
            return change(pdu)
        self.refused += 1
        fault = struct.pack("<BBBB4sHHIIHBBII", 5, 0, 3, 0x23, b"\x10\0\0\0", 32, 0, struct.unpack_from("<I", pdu, 12)[0],
                            32, 0, 0, 0, 0x1C010014, 0)
        source.sendall(fault)
        return b""


@pytest.mark.parametrize("refusals, refused, ends", [(2, 2, "ok"), (6, 6, "ok"), (1000, 7, "server-busy")])
def test_too_busy(serve, actor, refusals, refused, ends):
    """Repeated as often as EcDoConnectEx said, and after the delay it said: MS-OXCRPC 3.2.4.4."""
    server = serve("--encryption", "optional")
    way = Busy(server.store, refusals)
    mapper = Between(server.epm, to_client=hand_out(server.store, way.port))
    act = actor(mapper.port, "plain")
    assert act("open") == ends
    assert way.refused == refused


class Deaf(Between):
    """Loses answers; keeps what it was told."""

    def __init__(self, port):
        self.told = []
        super().__init__(port, self.tell, lambda data: b"" if data[2] == 2 else data)

    def tell(self, data):
        self.told += [pdu[2] for pdu in pdus(data)]
        return data


def test_unanswered_call_is_orphaned(server):
    """When its time has passed, the server is told that nobody waits any more."""
    way = Deaf(server.epm)
    done = run("ping", f"127.0.0.1:{way.port}", "nspi", "--timeout", "0.3", check=False)
    assert done.returncode == 30, done.stderr
    assert wait_for(lambda: way.told == [11, 0, 19]), way.told
