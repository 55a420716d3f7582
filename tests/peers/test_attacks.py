"""Attacks on the running server: each test names what it guards against, and that the server goes on afterwards.

What the machine alone can show stands in tests/unit/rpc (test_attacks.c, test_hostile.c); the table of both is in
docs/conformance.md. Memory and numbers of connections: test_memory.py."""
import os
import resource
import socket
import struct
import subprocess
import time

import pytest

pytest.importorskip("impacket", reason="python3-impacket is not installed")
from impacket import ntlm  # noqa: E402
from impacket.dcerpc.v5 import nspi, rpcrt  # noqa: E402

from conftest import USERS, Server, wait_for  # noqa: E402
from peer import bound_rpc  # noqa: E402
from raw import (ALTER_CONTEXT, ALTER_CONTEXT_RESP, AUTH3, BIND_ACK, CONNECT, FAULT, FIRST, FRAGMENT, INTEGRITY,  # noqa: E402
                 LAST, MAX_CALL, MGMT, MPX, PACKET, PRIVACY, REQUEST, RESPONSE, SPNEGO, Peer, auth_value,
                 bind, bound, context, fault_of, nak_of, ntlm_negotiate, pdu, request, trailer)
from test_nspi import Book  # noqa: E402
from test_ntlm import TOOL, Tool  # noqa: E402

ACCESS_DENIED, SEC_PKG_ERROR, BAD_STUB_DATA = 5, 0x721, 0x6F7
PROTO_ERROR, OP_RANGE, CONTEXT_MISMATCH = 0x1C01000B, 0x1C010002, 0x1C00001A
NSPI = nspi.MSRPC_UUID_NSPI
STAT = bytes(28) + struct.pack("<II", 1252, 0x409)


@pytest.fixture(scope="module")
def server(state_template, tmp_path_factory):
    """One server for all of them: what one attack breaks the next one sees."""
    state = tmp_path_factory.mktemp("attacks") / "state"
    subprocess.run(["cp", "-a", str(state_template), str(state)], check=True)
    out = Server(state, "--encryption", "optional", "--patience", "30")
    yield out
    out.stop()


@pytest.fixture(autouse=True)
def goes_on(request):
    """After each attack a fresh peer is served."""
    yield
    if "server" in request.fixturenames:
        with bound(request.getfixturevalue("server").epm) as peer:
            assert fault_of(peer.ask(ask())) == (OP_RANGE, 0x23)


def ask(**more):
    """A request that is answered with a fault which the connection survives."""
    return request(opnum=99, **more)


def ends_with(peer, status, *data):
    """The data are answered with this fault and the end of the connection."""
    assert fault_of(peer.ask(*data))[0] == status
    assert peer.is_closed()


def socket_of(rpc):
    out = Peer.__new__(Peer)
    out.socket = rpc.get_rpc_transport().get_socket()
    return out


# ---- Protection taken away or changed ----


@pytest.mark.parametrize("ptype, changed, status", [
    (ALTER_CONTEXT, trailer(CONNECT), ACCESS_DENIED),
    (ALTER_CONTEXT, trailer(kind=SPNEGO), SEC_PKG_ERROR),
    (ALTER_CONTEXT, trailer(kind=0), ACCESS_DENIED),
    (ALTER_CONTEXT, trailer(ctx=2), PROTO_ERROR),
    (AUTH3, trailer(CONNECT), PROTO_ERROR),
    (AUTH3, trailer(kind=SPNEGO), PROTO_ERROR),
    (AUTH3, trailer(ctx=2), PROTO_ERROR),
    (REQUEST, trailer(CONNECT), PROTO_ERROR),
    (REQUEST, trailer(kind=SPNEGO), PROTO_ERROR),
    (REQUEST, trailer(ctx=2), PROTO_ERROR),
])
def test_cve_2015_5370_authentication_changes_between_its_legs(server, ptype, changed, status):
    with bound(server.epm, trailer() + ntlm_negotiate()) as peer:
        auth = changed + b"NTLMSSP\0" * 2
        data = {ALTER_CONTEXT: lambda: bind(auth, ptype=ALTER_CONTEXT), AUTH3: lambda: pdu(AUTH3, bytes(4), auth=auth),
                REQUEST: lambda: ask(auth=auth)}[ptype]()
        ends_with(peer, status, data)


@pytest.mark.parametrize("auth", [
    b"", trailer(CONNECT, ctx=79231) + bytes(16), trailer(PACKET, ctx=79231) + bytes(16),
    trailer(INTEGRITY, ctx=79231) + bytes(16), trailer(PRIVACY, ctx=5) + bytes(16),
    trailer(PRIVACY, SPNEGO, ctx=79231) + bytes(16)])
def test_cve_2016_2118_protection_taken_from_a_request(server, auth):
    peer = socket_of(bound_rpc(server.nspi, NSPI, "privacy"))
    ends_with(peer, ACCESS_DENIED, ask(auth=auth, call=7))


def test_cve_2016_2118_auth_length_zero_with_a_trailer(server):
    """The trailer stands there, its length says that it does not."""
    peer = socket_of(bound_rpc(server.nspi, NSPI, "privacy"))
    ends_with(peer, ACCESS_DENIED, ask(call=7, stub=trailer(ctx=79231) + bytes(16)))


def test_a_signature_that_does_not_verify(server):
    peer = socket_of(bound_rpc(server.nspi, NSPI, "privacy"))
    ends_with(peer, SEC_PKG_ERROR, ask(auth=trailer(ctx=79231) + bytes(16), call=7))


def send_fragment(rpc, flags):
    packet = rpcrt.MSRPCRequestHeader()
    packet["op_num"], packet["flags"], packet["call_id"] = 3, flags, 9
    packet["pduData"] = packet["alloc_hint"] = b""
    packet["pduData"], packet["alloc_hint"] = bytes(64), 64
    rpc._transport_send(packet)


@pytest.mark.parametrize("same", [True, False])
def test_cve_2021_23192_a_later_fragment_under_another_context(server, same):
    one = bound_rpc(server.nspi, NSPI, "integrity")
    two = one.alter_ctx(NSPI)
    send_fragment(one, FIRST)
    send_fragment(one if same else two, LAST)
    status = fault_of(socket_of(one).answer())[0]
    assert status == (CONTEXT_MISMATCH if same else SEC_PKG_ERROR)  # a handle of zeros: the call was looked at
    assert socket_of(one).is_closed(0.2) != same


def test_a_later_fragment_without_protection(server):
    rpc = bound_rpc(server.nspi, NSPI, "integrity")
    send_fragment(rpc, FIRST)
    ends_with(socket_of(rpc), PROTO_ERROR, request(bytes(16), 3, LAST, call=9))


# ---- Sizes ----


def test_cve_2022_26809_fragments_beyond_the_limit(server):
    """They add up: beyond 4 MiB a fault, not a buffer that is too small."""
    with bound(server.epm) as peer:
        part = bytes(FRAGMENT - 24)
        for i in range(MAX_CALL // len(part)):
            peer.send(request(part, 3, FIRST if i == 0 else 0, hint=0))
        ends_with(peer, ACCESS_DENIED, request(part, 3, 0, hint=0))


def test_cve_2022_26809_fragments_without_a_byte(server):
    """By the hundred thousand; the call that they belong to is still one."""
    with bound(server.epm) as peer:
        peer.send(request(opnum=99, flags=FIRST), request(opnum=99, flags=0) * 100_000)
        assert fault_of(peer.ask(request(opnum=99, flags=LAST)))[0] == OP_RANGE


@pytest.mark.parametrize("hint", [0xFFFFFFFF, 0x80000000, MAX_CALL + 1])
def test_cve_2022_26809_alloc_hint(server, hint):
    """What it promises is never allocated; on the first of several fragments it is refused, as Windows does."""
    with bound(server.epm) as peer:
        assert fault_of(peer.ask(ask(hint=hint)))[0] == OP_RANGE
        ends_with(peer, ACCESS_DENIED, request(bytes(16), 3, FIRST, hint=hint))


def unbind_tower(max_count, length, size):
    """ept_map whose tower says one thing of its size here and another there; C706 appendix L."""
    return (struct.pack("<II", 0, 1) + struct.pack("<III", max_count, length, 0)[:8] + bytes(size) +
            bytes(-size % 4) + bytes(20) + struct.pack("<I", 4))


@pytest.mark.parametrize("max_count, length, size", [
    (0xFFFFFFFF, 16, 16), (16, 0xFFFFFFFF, 16), (0x7FFFFFFF, 0x7FFFFFFF, 16), (4, 16, 16), (16, 4, 16), (200, 200, 16)])
def test_cve_2012_1182_counts_that_disagree_with_sizes(server, max_count, length, size):
    with bound(server.epm) as peer:
        stub = unbind_tower(max_count, length, size)
        assert fault_of(peer.ask(request(stub, 3)))[0] == BAD_STUB_DATA
        assert fault_of(peer.ask(ask(call=2)))[0] == OP_RANGE


@pytest.mark.parametrize("at, count", [(24, 0xFF), (30, 0xFF)])
def test_cve_2012_1182_more_contexts_than_the_bind_holds(server, at, count):
    with Peer(server.epm) as peer:
        data = bytearray(bind())
        data[at] = count
        assert nak_of(peer.ask(bytes(data))) == 4
        assert peer.is_closed()


def nots(book, depth):
    """NspiGetMatches with a restriction of so many RES_NOT, one in the other, around an RES_EXIST; None, or the fault."""
    stub = book.handle.getData() + bytes(4) + STAT + bytes(8) + struct.pack("<I", 1)
    stub += b"".join(struct.pack("<III", 2, 2, i + 2) for i in range(depth))
    stub += struct.pack("<IIIII", 8, 8, 0, 0x3001001F, 0) + struct.pack("<III", 0, 10, 0)
    book.rpc.call(5, stub)
    try:
        book.rpc.recv()
    except rpcrt.DCERPCException as e:
        return str(e)
    return None


def test_deep_nesting(server):
    """50,000 deep: a fault for a bad stub, no recursion to the end of the stack."""
    book = Book(server)
    assert nots(book, 3) is None
    assert "bad_stub_data" in nots(book, 50_000)
    assert nots(book, 3) is None


# ---- Order ----


@pytest.mark.parametrize("data, is_answered", [
    (ask(), True), (bind(ptype=ALTER_CONTEXT), True), (pdu(AUTH3, bytes(4), auth=trailer() + ntlm_negotiate()), True),
    (pdu(BIND_ACK, bytes(16)), False), (pdu(RESPONSE, bytes(8)), False), (pdu(FAULT, bytes(16)), False),
], ids=["request", "alter_context", "auth3", "bind_ack", "response", "fault"])
def test_wrong_pdu_first(server, data, is_answered):
    with Peer(server.epm) as peer:
        if is_answered:
            ends_with(peer, PROTO_ERROR, data)
        else:
            peer.send(data)
            assert peer.is_closed()


def test_a_second_bind(server):
    with bound(server.epm) as peer:
        assert nak_of(peer.ask(bind())) == 0
        assert peer.is_closed()


def test_a_request_in_the_middle_of_the_handshake(server):
    with bound(server.epm, trailer() + ntlm_negotiate()) as peer:
        ends_with(peer, PROTO_ERROR, ask())


@pytest.mark.parametrize("flags", [0, MPX])
def test_interleaved_call_ids(server, flags):
    """A call between the fragments of another: a fault and the end, with concurrent multiplexing or without."""
    with bound(server.epm, flags=3 | flags) as peer:
        peer.send(request(bytes(16), 3, FIRST, call=5))
        ends_with(peer, PROTO_ERROR, request(bytes(16), 3, FIRST, call=6))


@pytest.mark.parametrize("flags", [0, LAST])
def test_a_fragment_without_its_beginning(server, flags):
    with bound(server.epm) as peer:
        ends_with(peer, PROTO_ERROR, request(bytes(16), 3, flags))


def test_cve_2015_5370_an_empty_context_list(server):
    with Peer(server.epm) as peer:
        assert nak_of(peer.ask(bind(contexts=[]))) == 0
        assert peer.is_closed()
    with bound(server.epm) as peer:
        ends_with(peer, PROTO_ERROR, bind(contexts=[], ptype=ALTER_CONTEXT))


def with_auth_length(data, length):
    return data[:10] + struct.pack("<H", length) + data[12:]


@pytest.mark.parametrize("length", [0xFFFF, 5840, 100, 57])
def test_cve_2015_5370_auth_length_beyond_the_fragment(server, length):
    with Peer(server.epm) as peer:
        assert nak_of(peer.ask(with_auth_length(bind(), length))) == 4
        assert peer.is_closed()
    with bound(server.epm) as peer:
        ends_with(peer, PROTO_ERROR, with_auth_length(ask(), length))


@pytest.mark.parametrize("padding", [255, 200])
def test_cve_2015_5370_padding_beyond_the_fragment(server, padding):
    with Peer(server.epm) as peer:
        assert nak_of(peer.ask(bind(trailer(padding=padding) + ntlm_negotiate()))) == 4
        assert peer.is_closed()
    peer = socket_of(bound_rpc(server.nspi, NSPI, "privacy"))
    assert peer.ask(ask(auth=trailer(ctx=79231, padding=padding) + bytes(16), call=7))[2] == FAULT
    assert peer.is_closed()


def test_a_fragment_longer_than_agreed(server):
    with bound(server.epm) as peer:
        ends_with(peer, PROTO_ERROR, request(bytes(FRAGMENT), 3))


# ---- What belongs to others ----


def use(book, other):
    """NspiUpdateStat by one's connection with the other's handle; None, or the fault."""
    from test_nspi import stat
    try:
        nspi.hNspiUpdateStat(book.rpc, other.handle, stat())
    except rpcrt.DCERPCException as e:
        return str(e)
    return None


@pytest.mark.parametrize("thief", ["alice", "bob"])
def test_a_stolen_context_handle(server, thief):
    """Not from another association, not even for the same user."""
    owner, other = Book(server), Book(server, user=thief)
    assert use(owner, owner) is None and use(other, other) is None
    assert "context_mismatch" in use(other, owner)
    assert use(owner, owner) is None


def raw_user(server, user, group=0):
    """A connection to the address book at level connect; it, and its group."""
    peer = Peer(server.nspi)
    answer = peer.ask(bind(trailer(CONNECT) + ntlm_negotiate(), [context(interface=NSPI)], group))
    assert answer[2] == BIND_ACK
    peer.send(pdu(AUTH3, bytes(4), auth=trailer(CONNECT) + authenticate_with(auth_value(answer), bytes(4), user)))
    return peer, struct.unpack_from("<I", answer, 20)[0]


def nspi_bind(peer):
    """The handle."""
    answer = peer.ask(request(bytes(4) + STAT + bytes(4), 0))
    assert answer[2] == RESPONSE and answer[-4:] == bytes(4)
    return answer[-24:-4]


def update_stat(handle):
    return request(handle + bytes(4) + STAT + bytes(4), 2)


def test_a_stolen_association_group(server):
    """Whoever learns its number may join it; what another user made there stays that user's."""
    owner, group = raw_user(server, "alice")
    handle = nspi_bind(owner)
    thief, same = raw_user(server, "bob", group)
    second, _ = raw_user(server, "alice", group)
    assert same == group
    assert fault_of(thief.ask(update_stat(handle)))[0] == CONTEXT_MISMATCH
    assert second.ask(update_stat(handle))[2] == RESPONSE
    assert owner.ask(update_stat(handle))[2] == RESPONSE
    for peer in (owner, thief, second):
        peer.close()


@pytest.mark.parametrize("guess", [1, 0x01000001, 0xFFFFFFFF, 0x00FFFFFF])
def test_a_guessed_association_group(server, guess):
    with bound(server.nspi, contexts=[context(interface=MGMT)]):
        with Peer(server.nspi) as peer:
            assert nak_of(peer.ask(bind(group=guess, contexts=[context(interface=MGMT)]))) == 0
            assert peer.is_closed()


# ---- NTLM ----


def ntlm_peer(server, level, negotiate, contexts=None):
    """A peer that has the server's challenge, and the challenge."""
    peer = Peer(server.epm)
    answer = peer.ask(bind(trailer(level) + negotiate, contexts))
    assert answer[2] == BIND_ACK
    return peer, auth_value(answer)


def finish(peer, level, authenticate, **more):
    peer.send(pdu(AUTH3, bytes(4), auth=trailer(level) + authenticate))
    return fault_of(peer.ask(ask(**more)))[0]


@pytest.fixture
def victim():
    """Our own NTLM client, which sends a MIC; it says what it would send to whom it takes for the server."""
    if not TOOL.exists():
        pytest.skip(f"{TOOL} was not built")
    tools = []

    def start(level="connect", password=USERS["alice"][1]):
        tools.append(Tool("client", level, "DEMO", "alice", password))
        return tools[-1], tools[-1].token()[1]

    yield start
    for tool in tools:
        tool.close()


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


MIC = 72  # of an AUTHENTICATE_MESSAGE with version, [MS-NLMP] 2.2.1.3


@pytest.mark.parametrize("change, status", [
    (lambda m: m, OP_RANGE),
    (lambda m: flipped(m, MIC), ACCESS_DENIED),
    (lambda m: flipped(m, MIC + 15), ACCESS_DENIED),
    (lambda m: m[:MIC] + bytes(16) + m[MIC + 16:], ACCESS_DENIED),
    (lambda m: flipped(m, 60), ACCESS_DENIED),  # a flag, which the MIC covers
], ids=["right", "wrong", "wrong at its end", "missing", "of another message"])
def test_an_announced_mic(server, victim, change, status):
    client, negotiate = victim()
    peer, challenge = ntlm_peer(server, CONNECT, negotiate)
    assert finish(peer, CONNECT, change(client.token(challenge, "s")[1])) == status
    assert peer.is_closed(0.2 if status == OP_RANGE else 10) == (status != OP_RANGE)
    peer.close()


def test_a_changed_challenge(server, victim):
    """CVE-2019-1040's way: who stands between drops flags from what the server said; the MIC covers that too."""
    client, negotiate = victim()
    peer, challenge = ntlm_peer(server, CONNECT, negotiate)
    weaker = challenge[:20] + struct.pack("<I", struct.unpack_from("<I", challenge, 20)[0] & ~0x20000000) + challenge[24:]
    _, authenticate, _ = client.token(weaker, "s")
    assert not authenticate or finish(peer, CONNECT, authenticate) == ACCESS_DENIED
    peer.close()


def test_relayed_to_another_challenge(server, victim):
    """What a user proved to one connection proves nothing on another."""
    client, negotiate = victim()
    one, challenge = ntlm_peer(server, CONNECT, negotiate)
    other, _ = ntlm_peer(server, CONNECT, negotiate)
    authenticate = client.token(challenge, "s")[1]
    assert finish(other, CONNECT, authenticate) == ACCESS_DENIED
    assert finish(one, CONNECT, authenticate) == OP_RANGE


@pytest.mark.parametrize("auth, status", [(b"", ACCESS_DENIED), (trailer() + bytes(16), SEC_PKG_ERROR)])
def test_relayed_in_full(server, victim, auth, status):
    """Who only passes tokens on has a connection, but no key: at packet and above nothing can be asked on it."""
    client, negotiate = victim("privacy")
    relay, challenge = ntlm_peer(server, PRIVACY, negotiate)
    assert finish(relay, PRIVACY, client.token(challenge, "s")[1], auth=auth) == status
    assert relay.is_closed()


def test_a_whole_connection_replayed(server, victim):
    client, negotiate = victim()
    peer, challenge = ntlm_peer(server, CONNECT, negotiate)
    authenticate = client.token(challenge, "s")[1]
    assert finish(peer, CONNECT, authenticate) == OP_RANGE
    with Peer(server.epm) as again:
        again.send(bind(trailer(CONNECT) + negotiate), pdu(AUTH3, bytes(4), auth=trailer(CONNECT) + authenticate), ask())
        assert again.answer()[2] == BIND_ACK
        assert fault_of(again.answer())[0] == ACCESS_DENIED
        assert again.is_closed()


def authenticate_with(challenge, pairs, user="alice"):
    """AUTHENTICATE_MESSAGE with an NTLMv2 response that is right, whatever its AV pairs are; [MS-NLMP] 3.3.2."""
    key = ntlm.NTOWFv2(user, USERS[user][1], "DEMO")
    now = (int(time.time()) + 11644473600) * 10_000_000
    temp = b"\1\1" + bytes(6) + struct.pack("<Q", now) + b"12345678" + bytes(4) + pairs
    response = ntlm.hmac_md5(key, challenge[24:32] + temp) + temp
    parts = [bytes(24), response, "DEMO".encode("utf-16le"), user.encode("utf-16le"), b"", bytes(16)]
    out, at, payload = b"", 64, b""
    for part in parts:
        out += struct.pack("<HHI", len(part), len(part), at + len(payload))
        payload += part
    flags = struct.unpack_from("<I", challenge, 20)[0] & ~0x02000000
    return b"NTLMSSP\0" + struct.pack("<I", 3) + out + struct.pack("<I", flags) + payload


def target_info(challenge):
    size, at = struct.unpack_from("<HxxI", challenge, 40)
    return challenge[at:at + size]


@pytest.mark.parametrize("pairs, status", [
    (lambda info: info + bytes(4), OP_RANGE),
    (lambda info: bytes(4), OP_RANGE),
    (lambda info: b"", ACCESS_DENIED),
    (lambda info: b"\0\0", ACCESS_DENIED),
    (lambda info: info[:-4], ACCESS_DENIED),
    (lambda info: info[:-5], ACCESS_DENIED),
    (lambda info: struct.pack("<HH", 2, 0xFFFF) + b"x", ACCESS_DENIED),
    (lambda info: struct.pack("<HH", 6, 1) + b"\2" + bytes(4), OP_RANGE),  # no flags, and so no MIC announced: the user's proof covers them
    (lambda info: struct.pack("<HH", 2, 0) * 1000, ACCESS_DENIED),
], ids=["the server's", "empty", "none", "half of one", "unterminated", "cut", "beyond the end", "flags of one byte",
        "a thousand, unterminated"])
def test_av_pairs(server, pairs, status):
    peer, challenge = ntlm_peer(server, CONNECT, ntlm_negotiate())
    assert finish(peer, CONNECT, authenticate_with(challenge, pairs(target_info(challenge)))) == status


# ---- Time ----


def seconds_until_closed(peer, send=b"", every=0.05, most=20):
    """Sends a byte now and then while the server lets it."""
    begin, at = time.monotonic(), 0
    while time.monotonic() - begin < most:
        if peer.is_closed(every):
            return time.monotonic() - begin
        try:
            if at < len(send):
                peer.socket.sendall(send[at:at + 1])
                at += 1
        except OSError:
            return time.monotonic() - begin
    return None


def test_slow_senders(serve):
    """A deadline for each PDU and for the handshake, however steadily its bytes come in; who is merely silent stays."""
    server = serve("--patience", "2")
    slow_bind = Peer(server.epm)
    slow_request = bound(server.epm)
    half = bound(server.epm, trailer() + ntlm_negotiate())
    silent = bound(server.epm)
    assert seconds_until_closed(slow_bind, bind() * 10)
    assert seconds_until_closed(slow_request, request(bytes(5000), 3), most=10)
    assert seconds_until_closed(half, most=10)
    assert not silent.is_closed(0.1)
    assert fault_of(silent.ask(ask()))[0] == OP_RANGE


def test_a_peer_that_never_reads(serve):
    """Its output is bounded, and then it is closed; others are served meanwhile."""
    server = serve("--patience", "2")
    peer = bound(server.epm, contexts=[context(interface=MGMT)])
    peer.socket.settimeout(0.5)
    with pytest.raises(OSError):
        for _ in range(2000):
            peer.send(request() * 1000)
    with bound(server.epm) as other:
        assert fault_of(other.ask(ask()))[0] == OP_RANGE

    def is_reset():
        try:
            peer.socket.send(b"\5", socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return False

    assert wait_for(is_reset, 20)


def test_no_descriptors_left(serve):
    """Accepting does not get stuck: who finds no descriptor is closed, who has one is served, and then others are again."""
    server = serve("--loops", "1")
    early = bound(server.epm)
    limit = len(os.listdir(f"/proc/{server.process.pid}/fd")) + 10
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
    peers = [Peer(server.epm) for _ in range(60)]
    assert wait_for(lambda: sum(peer.is_closed(0.001) for peer in peers) >= 40)
    assert fault_of(early.ask(ask()))[0] == OP_RANGE
    begin = processor_seconds(server)
    time.sleep(0.5)
    assert processor_seconds(server) - begin < 0.25  # it does not try in vain for ever
    for peer in peers:
        peer.close()
    with bound(server.epm) as late:
        assert fault_of(late.ask(ask()))[0] == OP_RANGE


def processor_seconds(server):
    with open(f"/proc/{server.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
