"""Outlook's calls in HTTP as the lens shows them: what goes over TCP, over RPC over HTTP and over MAPI over HTTP is the same."""
import os
import struct
import subprocess

import pytest

import test_mapihttp_book as book_tests
from conftest import USERS, Server, run
from mapihttp import Book, Endpoint, HttpStore, execute_body
from peer import dn_of
from rops import EMSMDB, NORMALIZED_W, NO_HANDLE, Store, connect_stub, extended, group_of, read_connect, register_notification, rop_buffer
from test_look_export import needs_tshark, tshark
from test_look_tls import Wire, look
from test_rpch import ADDRESS, over_http

SECRETS = "password DEMO\\alice {}\n"


class RpcHttpStore(Store):
    """The store by impacket's client through our proxy: sealed by NTLM inside of TLS."""

    def __init__(self, server, user="alice"):
        self.server, self.user, self.level = server, user, "privacy"
        self.rpc = over_http(server, 6001, user=user)
        self.group = group_of(self.rpc.bind(EMSMDB))
        self.rpc.call(10, connect_stub(dn_of(user)))
        self.connected = read_connect(self.rpc.recv())
        self.status, self.handle = self.connected["status"], self.connected["handle"]
        self.columns, self.news, self.last_flags, self.rest = {}, [], [], None


def session(store):
    store.log_on()
    store.save_message(store.folders[4], {NORMALIZED_W: "in a test"})
    store.rows(store.folders[4], [NORMALIZED_W])
    status, _ = store.raw(extended(rop_buffer([b"\x02\0\0\1" + struct.pack("<QB", 0x7777, 0)], [store.root, NO_HANDLE])))
    assert status == 0
    store.disconnect()
    store.close()


@pytest.fixture
def secrets(tmp_path):
    path = tmp_path / "secrets"
    path.write_text(SECRETS.format(USERS["alice"][1]))
    return path


def calls(events):
    """What the store was asked and answered, whatever carried it."""
    answers = [e for e in events if e["event"] == "response" and e.get("iface") == "emsmdb"]
    asked = [e["rops"] for e in events if e["event"] == "request" and e.get("rops")]
    return [e["opnum"] for e in answers], asked, [(e["rops"], e["rop_status"]) for e in answers if e.get("rops")]


def summary(capture, *options):
    """Counts of --top by users, folders and ROPs."""
    text = run("look", "--top", "count", *options, capture).stdout
    rows = [line.split() for part in text.split("\n\n") if not part.startswith("Methods") for line in part.splitlines()[1:] if line]
    return [(row[0], row[1], row[2]) for row in rows if row[1].isdigit()]


def test_the_same_over_all_three(state_template, tmp_path, secrets):
    if os.geteuid() != 0:
        pytest.skip("port 443 is root's")
    seen, tops, keys = {}, {}, tmp_path / "keys"
    for name, make, options in (("tcp", Store, ()), ("mapi-http", HttpStore, ("--https-port", "0")),
                                ("rpc-http", RpcHttpStore, ("--listen", ADDRESS, "--https-port", "443"))):
        state = tmp_path / name
        subprocess.run(["cp", "-a", state_template, state], check=True)
        server = Server(state, *options, *(("--tls-key-log", keys) if options else ()))
        try:
            wire = Wire(tmp_path / f"{name}.pcap", server.web.get("https", server.store))
            session(make(server))
            capture = wire.stop()
        finally:
            server.stop()
        opened = ("--secrets", secrets, *(("--tls-keys", keys) if options else ()))
        events = look(capture, *opened)
        assert {e["transport"] for e in events if e["event"] == "response"} == {name}
        assert {e["user"] for e in events if e["event"] == "response"} == {"DEMO\\alice"}
        assert not any(e.get("damaged") for e in events)
        seen[name], tops[name] = calls(events), summary(capture, *opened)
        story = run("look", "--story", *opened, capture).stdout
        assert "It connects to the store" in story and "It logs on to the mailbox" in story
        found = run("look", "--problems", "--slow", "4000,5000,20000,30000", *opened, capture).stdout
        assert found.startswith("No problem found"), found
    opnums, asked, answered = seen["tcp"]
    assert opnums == [10, 11, 11, 11, 11, 1] and asked[0] == ["Logon"]
    assert answered[-1] == (["OpenFolder"], ["MAPI_E_NOT_FOUND"]) and len(answered) == 4
    assert seen["mapi-http"] == seen["rpc-http"] == seen["tcp"]
    assert ("Inbox", "1", "0") in tops["tcp"] and ("DEMO\\alice", "6", "0") in tops["tcp"]
    assert sorted(tops["mapi-http"]) == sorted(tops["tcp"])


def test_channels_have_their_own_addresses(serve, tmp_path, secrets):
    if os.geteuid() != 0:
        pytest.skip("port 443 is root's")
    keys = tmp_path / "keys"
    server = serve("--listen", ADDRESS, "--https-port", "443", "--tls-key-log", keys)
    wire = Wire(tmp_path / "rpc.pcap", 443)
    session(RpcHttpStore(server))
    events = look(wire.stop(), "--all", "--secrets", secrets, "--tls-keys", keys)
    ends = {way: {e["src" if way == "request" else "dst"] for e in events if e["event"] == way} for way in ("request", "response")}
    channels = {way: {e["src"] for e in events if e.get("what", "").startswith(f"RPC over HTTP: RPC_{way}_DATA")} for way in ("IN", "OUT")}
    assert len(ends["request"]) == len(ends["response"]) == 1
    assert ends["request"] <= channels["IN"] and ends["response"] <= channels["OUT"] and ends["request"] != ends["response"]


BOOK = {"Bind", "Unbind", "UpdateStat", "QueryRows", "SeekEntries", "GetMatches", "ResortRestriction", "DNToMinId", "GetPropList",
        "GetProps", "CompareMinIds", "ModProps", "GetSpecialTable", "GetTemplateInfo", "ModLinkAtt", "QueryColumns", "ResolveNames",
        "GetMailboxUrl", "GetAddressBookUrl"}


def field_values(capture, frame, *options):
    return run("look", "--tree", frame, *options, capture).stdout


def test_each_request_type_of_the_address_book(serve, tmp_path):
    keys = tmp_path / "keys"
    web = serve(*book_tests.FIRST, "--tls-key-log", keys)
    wire = Wire(tmp_path / "book.pcap", web.web["https"])
    book = Book(web)
    for test in (book_tests.test_query_rows, book_tests.test_explicit_table, book_tests.test_get_props,
                 book_tests.test_resolve_names, book_tests.test_seek_entries, book_tests.test_positions, book_tests.test_tables,
                 book_tests.test_what_is_not_offered):
        test(book)
    book_tests.test_get_matches(book, book_tests.exists(book_tests.NAME_W), book_tests.NAMES)
    book_tests.test_urls(web, book)
    book_tests.test_unbind_and_cookies(web, book)
    capture = wire.stop()
    events = look(capture, "--tls-keys", keys)
    answers = [e for e in events if e["event"] == "response"]
    assert {e["op"] for e in answers} == BOOK
    assert all(e["transport"] == "mapi-http" and e["iface"] in ("nspi", "rfr") and e["ms"] >= 0 for e in answers)
    assert not any(e.get("damaged") for e in events)
    statuses = {e["op"]: e["status"] for e in answers}
    assert statuses["Unbind"] == "ok" and statuses["ModProps"] != "ok"
    assert [e["status"] for e in events if e["event"] == "fault"] == \
        ["X-ResponseCode 13 (missing cookie)", "X-ResponseCode 10 (context not found)", "X-ResponseCode 10 (context not found)"]
    rows = next(e for e in answers if e["op"] == "QueryRows")
    tree = field_values(capture, rows["frame"], "--tls-keys", keys)
    assert "BookRowsResponse" in tree and 'PidTagDisplayName: "Alice Arnold"' in tree
    assert "meta tags: PROCESSING 1, PENDING 0, DONE 1" in tree and "X-RequestId: {" in tree
    assert "not understood" not in tree


def test_news(serve, tmp_path):
    """A parked NotificationWait, and what woke it."""
    keys = tmp_path / "keys"
    web = serve("--https-port", "0", "--tls-key-log", keys)
    wire = Wire(tmp_path / "news.pcap", web.web["https"])
    store = HttpStore(web)
    store.log_on()
    store.run([register_notification(0x04, folder=store.folders[4])], [store.root, NO_HANDLE])
    waiter = Endpoint(web)
    waiter.cookies = dict(store.endpoint.cookies)
    waiter.send("NotificationWait", struct.pack("<2I", 0, 0))
    other = HttpStore(web)
    other.log_on()
    other.save_message(other.folders[4], {NORMALIZED_W: "news"})
    answer = waiter.receive()
    assert struct.unpack_from("<3I", answer.body) == (0, 0, 1)
    store.run([register_notification(0x04, folder=store.folders[4])], [store.root, NO_HANDLE])
    for s in store, other:
        s.disconnect()
        s.close()
    waiter.close()
    capture = wire.stop()
    events = look(capture, "--tls-keys", keys)
    waits = [e for e in events if e.get("op") == "NotificationWait"]
    assert [e["event"] for e in waits] == ["request", "response"] and waits[1]["ms"] > 0
    assert ["Notify"] in [e["rops"][-1:] for e in events if e["event"] == "response" and e.get("rops")]
    assert "waits for news on a connection of its own; some comes" in \
        " ".join(run("look", "--story", "--tls-keys", keys, capture).stdout.split())


def frames_of(capture):
    data, at = capture.read_bytes(), 24
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        yield data[at:at + 16 + size]
        at += 16 + size


def test_frames_that_are_missing(serve, tmp_path):
    """Whatever frame was not captured, what comes later is read, and nothing is made up."""
    web = serve("--http-port", "0", "--https-port", "0", "--tls-key-log", tmp_path / "keys")
    wire = Wire(tmp_path / "whole.pcap", web.web["https"])
    session(HttpStore(web))
    capture = wire.stop()
    frames, head = list(frames_of(capture)), capture.read_bytes()[:24]
    whole = calls(look(capture, "--tls-keys", tmp_path / "keys"))[2]
    for lost in (i for i, frame in enumerate(frames) if len(frame) > 16 + 66):
        part = tmp_path / "part.pcap"
        part.write_bytes(head + b"".join(frames[:lost] + frames[lost + 1:]))
        found = calls(look(part, "--tls-keys", tmp_path / "keys"))[2]
        assert all(call in whole for call in found), lost
        # The handshake is lost with one of its frames; behind it a call or two are, with the frame.
        assert len(found) >= len(whole) - 2 or lost < 9, lost


def test_hostile_bodies(serve, tmp_path):
    """What is no body of its type is told to be damaged; the connection goes on."""
    web = serve("--http-port", "0", "--https-port", "0", "--tls-key-log", tmp_path / "keys")
    wire = Wire(tmp_path / "bad.pcap", web.web["https"])
    store = HttpStore(web)
    for body in b"", b"\xff" * 40, execute_body(b"\0\0\4\0\xff\xff\xff\xff" + b"x" * 20), struct.pack("<2I", 0, 0xFFFFFFF0):
        store.endpoint.ask("Execute", body)
    store.close()
    store = HttpStore(web)
    store.log_on()
    store.close()
    events = look(wire.stop(), "--tls-keys", tmp_path / "keys")
    assert sum(1 for e in events if e["event"] == "request" and e.get("damaged")) == 4
    assert [e["rops"] for e in events if e["event"] == "response" and e.get("rops")][-1] == ["Logon"]


def test_dance_of_authorization(serve, tmp_path):
    """Empty requests that the server answers with 401 are no calls, and nothing is wrong with them."""
    web, capture = serve("--http-port", "0", "--encryption", "optional"), tmp_path / "walk.pcap"
    run("walk", f"127.0.0.1:{web.web['http']}", "--transport", "mapi-http", "--plain-http", "-U", "DEMO\\alice",
        "--password-file", web.state / "alice.password", "-w", capture)
    events = look(capture)
    assert any(e["event"] == "context" and e.get("status") == "401" for e in events)
    assert not [e for e in events if e.get("damaged") or e.get("unanswered")]
    assert sum(1 for e in events if e["event"] == "request" and e["op"] == "Bind") == 1
    for view in "--problems", "--story":
        said = run("look", capture, view).stdout
        assert "damaged" not in said and "no answer" not in said, said
    assert run("look", capture, "--problems", "--json").stdout.count("evidence") == 0


@needs_tshark
def test_export(state_template, tmp_path, secrets):
    """The copy needs no keys: HTTP as it was inside of TLS, the calls of RPC over HTTP as RPC."""
    for name, make, options in (("mapi-http", HttpStore, ("--https-port", "0")),
                                ("rpc-http", RpcHttpStore, ("--listen", ADDRESS, "--https-port", "443"))):
        if name == "rpc-http" and os.geteuid() != 0:
            pytest.skip("port 443 is root's")
        state, keys, copy = tmp_path / name, tmp_path / f"{name}.keys", tmp_path / f"{name}.pcapng"
        subprocess.run(["cp", "-a", state_template, state], check=True)
        server = Server(state, *options, "--tls-key-log", keys)
        try:
            wire = Wire(tmp_path / f"{name}.pcap", server.web["https"])
            session(make(server))
            capture = wire.stop()
        finally:
            server.stop()
        opened = ("--secrets", secrets, "--tls-keys", keys)
        run("look", *opened, "--export", copy, capture)
        assert calls(look(copy)) == calls(look(capture, *opened))
        assert not any(e.get("tls") or e.get("sealed") for e in look(copy, "--all"))
        assert not tshark(copy, "_ws.malformed or tcp.analysis.flags or tls", "frame.number")
        if name == "mapi-http":
            kinds = [row[0] for row in tshark(copy, "http.request.method == POST", "http.request.line")]
            assert sum("X-RequestType: Execute" in k for k in kinds) == 4
        else:
            assert len(tshark(copy, "dcerpc.pkt_type == 0 and dcerpc.opnum == 11", "dcerpc.opnum")) == 4
