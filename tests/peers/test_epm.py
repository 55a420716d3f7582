"""The endpoint mapper and remote management, asked by impacket."""
import pytest
from impacket import uuid
from impacket.dcerpc.v5 import epm, mgmt, transport
from impacket.dcerpc.v5.rpcrt import DCERPCException

INTERFACES = {
    "rfr": ("1544f5e0-613c-11d1-93df-00c04fd7bd09", "1.0"),
    "nspi": ("f5cc5a18-4264-101a-8c59-08002b2f8426", "56.0"),
    "store": ("a4f1db00-ca47-1067-b31f-00dd010662da", "0.81"),
    "async": ("5261574a-4572-206e-b268-6b199213b4e4", "0.1"),
}
NOT_REGISTERED = 0x16C9A0D6


def connect(port, interface):
    rpc = transport.DCERPCTransportFactory(f"ncacn_ip_tcp:127.0.0.1[{port}]").get_dce_rpc()
    rpc.connect()
    rpc.bind(interface)
    return rpc


def ask(rpc, interface_id, max_towers=1):
    """ept_map as impacket's hept_map does it, on a connection of one's own; yields the answer."""
    identifier, version = interface_id
    tower = epm.EPMTower()
    interface = epm.EPMRPCInterface()
    interface["InterfaceUUID"] = uuid.string_to_bin(identifier)
    interface["MajorVersion"], interface["MinorVersion"] = map(int, version.split("."))
    syntax = epm.EPMRPCDataRepresentation()
    syntax["DataRepUuid"] = uuid.string_to_bin("8a885d04-1ceb-11c9-9fe8-08002b104860")
    syntax["MajorVersion"], syntax["MinorVersion"] = 2, 0
    protocol = epm.EPMProtocolIdentifier()
    protocol["ProtIdentifier"] = epm.FLOOR_RPCV5_IDENTIFIER
    port, host = epm.EPMPortAddr(), epm.EPMHostAddr()
    port["IpPort"], host["Ip4addr"] = 0, b"\x00" * 4
    tower["NumberOfFloors"] = 5
    tower["Floors"] = b"".join(floor.getData() for floor in (interface, syntax, protocol, port, host))
    request = epm.ept_map()
    request["max_towers"] = max_towers
    request["map_tower"]["tower_length"] = len(tower)
    request["map_tower"]["tower_octet_string"] = tower.getData()
    return rpc.request(request)


def port_of(octets):
    return epm.EPMPortAddr(epm.EPMTower(b"".join(octets))["Floors"][3].getData())["IpPort"]


def mapped_port(answer):
    return port_of(answer["ITowers"][0]["Data"]["tower_octet_string"])


@pytest.mark.parametrize("which", sorted(INTERFACES))
def test_ept_map_tells_the_port(server, which):
    answer = ask(connect(server.epm, epm.MSRPC_UUID_PORTMAP), INTERFACES[which])
    assert mapped_port(answer) == getattr(server, "store" if which == "async" else which)


def test_ept_map_of_an_unknown_interface_is_not_registered(server):
    nobody = ("12345678-1234-1234-1234-123456789abc", "1.0")
    with pytest.raises(DCERPCException) as refused:
        ask(connect(server.epm, epm.MSRPC_UUID_PORTMAP), nobody)
    assert refused.value.get_error_code() == NOT_REGISTERED


def lookup_all(rpc, at_once):
    entries, handle = [], epm.ept_lookup_handle_t()
    for _ in range(50):
        request = epm.ept_lookup()
        request["inquiry_type"] = epm.RPC_C_EP_ALL_ELTS
        request["object"] = epm.NULL
        request["Ifid"] = epm.NULL
        request["vers_option"] = epm.RPC_C_VERS_ALL
        request["entry_handle"] = handle
        request["max_ents"] = at_once
        try:
            answer = rpc.request(request)
        except DCERPCException as end:
            assert end.get_error_code() == NOT_REGISTERED and at_once < 500
            return entries
        entries += answer["entries"]
        handle = answer["entry_handle"]
        if handle.isNull():
            return entries
    raise AssertionError("the lookup did not end")


@pytest.mark.parametrize("at_once", [1, 2, 3, 500])
def test_ept_lookup_pages_by_its_handle(server, at_once):
    entries = lookup_all(connect(server.epm, epm.MSRPC_UUID_PORTMAP), at_once)
    ports = sorted(port_of(entry["tower"]["tower_octet_string"]) for entry in entries)
    assert ports == sorted([server.rfr, server.nspi, server.store, server.store])
    assert all(e["annotation"] for e in entries)


def test_ept_lookup_handle_is_freed_and_then_unknown(server):
    rpc = connect(server.epm, epm.MSRPC_UUID_PORTMAP)
    request = epm.ept_lookup()
    request["inquiry_type"], request["vers_option"], request["max_ents"] = 0, 1, 1
    request["object"], request["Ifid"] = epm.NULL, epm.NULL
    handle = rpc.request(request)["entry_handle"]
    assert not handle.isNull()
    rpc.call(4, handle)  # ept_lookup_handle_free, which impacket has no structure for
    assert rpc.recv() == bytes(24)
    request["entry_handle"] = handle
    with pytest.raises(DCERPCException) as refused:
        rpc.request(request)
    assert "context_mismatch" in str(refused.value)


def listening(rpc):
    """C706 appendix Q: status, then the boolean that impacket's structure does not know."""
    rpc.call(2, mgmt.is_server_listening())
    return rpc.recv() == b"\0\0\0\0\1\0\0\0"


@pytest.mark.parametrize("which", ["epm", "rfr", "nspi", "store"])
def test_mgmt_on_each_port(server, which):
    rpc = connect(getattr(server, which), mgmt.MSRPC_UUID_MGMT)
    ids = [uuid.bin_to_string(bytes(i["Data"]["Uuid"])).lower()
           for i in mgmt.hinq_if_ids(rpc)["if_id_vector"]["if_id"]]
    assert "afa8bd80-7d8a-11c9-bef4-08002b102989" in ids
    if which in INTERFACES:
        assert INTERFACES[which][0] in ids
    assert listening(rpc)
    stats = mgmt.hinq_stats(rpc)
    assert stats["count"] == 4 and stats["statistics"][0] >= 2


def test_mgmt_refuses_to_stop(server):
    rpc = connect(server.epm, mgmt.MSRPC_UUID_MGMT)
    with pytest.raises(DCERPCException) as refused:
        mgmt.hstop_server_listening(rpc)
    assert refused.value.get_error_code() == 5
    assert listening(rpc)


@pytest.mark.parametrize("size, status", [(1, 122), (4, 122), (5, 0), (4096, 0)])
def test_mgmt_name_in_a_small_buffer(server, size, status):
    rpc = connect(server.epm, mgmt.MSRPC_UUID_MGMT)
    request = mgmt.inq_princ_name()
    request["authn_proto"], request["princ_name_size"] = 10, size
    answer = rpc.request(request, checkError=False)
    assert answer["status"] == status
    assert b"".join(answer["princ_name"]) == (b"\0" if status else b"MAIL\0")


@pytest.mark.parametrize("size", [0, 4097])
def test_mgmt_name_in_no_buffer(server, size):
    rpc = connect(server.epm, mgmt.MSRPC_UUID_MGMT)
    request = mgmt.inq_princ_name()
    request["authn_proto"], request["princ_name_size"] = 10, size
    with pytest.raises(DCERPCException) as refused:
        rpc.request(request)
    assert "bad_stub_data" in str(refused.value).lower() or refused.value.get_error_code() == 0x6f7


def test_lookups_left_lying_give_way(server):
    """Sixteen at a time on a connection: the one that was used longest ago is forgotten for another."""
    rpc = connect(server.epm, epm.MSRPC_UUID_PORTMAP)
    request = epm.ept_lookup()
    request["inquiry_type"], request["vers_option"], request["max_ents"] = 0, 1, 1
    request["object"], request["Ifid"] = epm.NULL, epm.NULL
    handles = []
    for _ in range(20):
        request["entry_handle"] = epm.ept_lookup_handle_t()
        handles.append(rpc.request(request)["entry_handle"])
    for i, handle in enumerate(handles):
        request["entry_handle"] = handle
        if i >= 4:
            assert rpc.request(request)["num_ents"] == 1
            continue
        with pytest.raises(DCERPCException) as refused:
            rpc.request(request)
        assert "context_mismatch" in str(refused.value)


def floor(lhs, rhs):
    return len(lhs).to_bytes(2, "little") + lhs + len(rhs).to_bytes(2, "little") + rhs


def syntax_floor(identifier, major, minor=0):
    return floor(b"\x0d" + uuid.string_to_bin(identifier) + major.to_bytes(2, "little"), minor.to_bytes(2, "little"))


NSPI_FLOOR = syntax_floor(INTERFACES["nspi"][0], 56)
NDR20_FLOOR = syntax_floor("8a885d04-1ceb-11c9-9fe8-08002b104860", 2)
NDR64_FLOOR = syntax_floor("71710533-beba-4937-8319-b5dbef9ccc36", 1)
TCP = [floor(b"\x0b", bytes(2)), floor(b"\x07", bytes(2)), floor(b"\x09", bytes(4))]


def tower(*floors, count=None):
    return (len(floors) if count is None else count).to_bytes(2, "little") + b"".join(floors)


INVALID_ENTRY = 0x16C9A0D3
TOWERS = {
    "as it should be": (tower(NSPI_FLOOR, NDR20_FLOOR, *TCP), 0),
    "no port in its floor": (tower(NSPI_FLOOR, NDR20_FLOOR, TCP[0], floor(b"\x07", b""), TCP[2]), 0),
    "a name for an address": (tower(NSPI_FLOOR, NDR20_FLOOR, TCP[0], TCP[1], floor(b"\x09", b"x" * 300)), 0),
    "floors beyond the fifth": (tower(NSPI_FLOOR, NDR20_FLOOR, *TCP, *TCP), 0),
    "newer than ours": (tower(syntax_floor(INTERFACES["nspi"][0], 56, 1), NDR20_FLOOR, *TCP), NOT_REGISTERED),
    "other major version": (tower(syntax_floor(INTERFACES["nspi"][0], 57), NDR20_FLOOR, *TCP), NOT_REGISTERED),
    "NDR64": (tower(NSPI_FLOOR, NDR64_FLOOR, *TCP), NOT_REGISTERED),
    "over UDP": (tower(NSPI_FLOOR, NDR20_FLOOR, floor(b"\x0a", bytes(2)), floor(b"\x08", bytes(2)), TCP[2]), NOT_REGISTERED),
    "over HTTP": (tower(NSPI_FLOOR, NDR20_FLOOR, TCP[0], floor(b"\x1f", bytes(2)), TCP[2]), NOT_REGISTERED),
    "by a pipe": (tower(NSPI_FLOOR, NDR20_FLOOR, TCP[0], floor(b"\x0f", b"\\pipe\\x\0"), floor(b"\x11", b"\\\\a\0")),
                  NOT_REGISTERED),
    "by a protocol that nobody knows": (tower(NSPI_FLOOR, NDR20_FLOOR, *[floor(b"\xee", b"?" * 9)] * 3), NOT_REGISTERED),
    "no transport": (tower(NSPI_FLOOR, NDR20_FLOOR), NOT_REGISTERED),
    "65,535 floors announced": (tower(NSPI_FLOOR, NDR20_FLOOR, *TCP, count=65535), INVALID_ENTRY),
    "one floor": (tower(NSPI_FLOOR), INVALID_ENTRY),
    "no floors": (tower(), INVALID_ENTRY),
    "nothing at all": (b"", INVALID_ENTRY),
    "one byte": (b"\5", INVALID_ENTRY),
    "a floor longer than the tower": (tower(NSPI_FLOOR, NDR20_FLOOR, b"\xff\xff\x0b"), INVALID_ENTRY),
    "a floor without an identifier": (tower(NSPI_FLOOR, NDR20_FLOOR, floor(b"", b""), *TCP), INVALID_ENTRY),
    "a UUID that is cut off": (tower(floor(b"\x0d" + bytes(5), bytes(2)), NDR20_FLOOR, *TCP), INVALID_ENTRY),
    "no UUID": (tower(TCP[0], NDR20_FLOOR, *TCP), INVALID_ENTRY),
    "64 KB of floors": (tower(NSPI_FLOOR, NDR20_FLOOR, *TCP * 4000), 0),
}


@pytest.mark.parametrize("what", TOWERS)
def test_towers(server, what):
    """Each gets its status, no octet of it comes back unless it was found, and the connection goes on."""
    octets, status = TOWERS[what]
    rpc = connect(server.epm, epm.MSRPC_UUID_PORTMAP)
    request = epm.ept_map()
    request["max_towers"] = 4
    request["map_tower"]["tower_length"] = len(octets)
    request["map_tower"]["tower_octet_string"] = octets
    answer = rpc.request(request, checkError=False)
    assert answer["status"] == status and answer["num_towers"] == (0 if status else 1)
    if status == 0:
        assert mapped_port(answer) == server.nspi
    assert mapped_port(ask(rpc, INTERFACES["rfr"])) == server.rfr


@pytest.mark.parametrize("max_towers, fault", [(500, False), (501, True), (0xFFFFFFFF, True)])
def test_more_towers_than_there_may_be(server, max_towers, fault):
    rpc = connect(server.epm, epm.MSRPC_UUID_PORTMAP)
    if fault:
        with pytest.raises(DCERPCException) as refused:
            ask(rpc, INTERFACES["nspi"], max_towers)
        assert refused.value.get_error_code() == 0x6F7 or "bad_stub_data" in str(refused.value)
    else:
        assert mapped_port(ask(rpc, INTERFACES["nspi"], max_towers)) == server.nspi
    assert mapped_port(ask(rpc, INTERFACES["rfr"])) == server.rfr


@pytest.mark.parametrize("length", [0, 74, 76, 0xFFFFFFFF])
def test_tower_length_that_disagrees_with_its_array(server, length):
    """CVE-2012-1182's kind: the array's count and the length beside it."""
    octets = TOWERS["as it should be"][0]
    rpc = connect(server.epm, epm.MSRPC_UUID_PORTMAP)
    stub = (bytes(4) + (1).to_bytes(4, "little") + len(octets).to_bytes(4, "little") + length.to_bytes(4, "little") + octets
            + bytes(-len(octets) % 4) + bytes(20) + (4).to_bytes(4, "little"))
    rpc.call(3, stub)
    with pytest.raises(DCERPCException) as refused:
        rpc.recv()
    assert refused.value.get_error_code() == 0x6F7 or "bad_stub_data" in str(refused.value)
    assert mapped_port(ask(rpc, INTERFACES["rfr"])) == server.rfr


ALL, BY_IF, BY_OBJ, BY_BOTH = range(4)
ANY, COMPATIBLE, EXACT, MAJOR, UPTO = range(1, 6)
SOMETHING, NIL = "99999999-8888-7777-6666-555555555555", "00000000-0000-0000-0000-000000000000"
INVALID_INQUIRY, ALL_FOUR = 0x16C9A0A9, ("async", "nspi", "rfr", "store")


@pytest.mark.parametrize("inquiry, obj, name, version, option, found", [
    (ALL, None, None, None, ANY, ALL_FOUR),
    (ALL, SOMETHING, "nspi", (1, 0), EXACT, ALL_FOUR),  # neither is looked at
    (BY_IF, None, "nspi", (56, 0), EXACT, ["nspi"]), (BY_IF, None, "nspi", (56, 0), COMPATIBLE, ["nspi"]),
    (BY_IF, None, "nspi", (56, 1), COMPATIBLE, []), (BY_IF, None, "nspi", (56, 1), EXACT, []),
    (BY_IF, None, "nspi", (56, 1), MAJOR, ["nspi"]), (BY_IF, None, "nspi", (56, 1), UPTO, ["nspi"]),
    (BY_IF, None, "nspi", (57, 0), UPTO, ["nspi"]), (BY_IF, None, "nspi", (55, 9), UPTO, []),
    (BY_IF, None, "nspi", (1, 2), ANY, ["nspi"]), (BY_IF, None, "store", (0, 80), COMPATIBLE, ["store"]),
    (BY_IF, None, "store", (0, 82), COMPATIBLE, []), (BY_IF, None, None, None, ANY, INVALID_INQUIRY),
    (BY_IF, None, "nspi", (56, 0), 0, []), (BY_IF, None, "nspi", (56, 0), 6, []),
    (BY_OBJ, NIL, None, None, ANY, ALL_FOUR), (BY_OBJ, SOMETHING, None, None, ANY, []),
    (BY_BOTH, NIL, "rfr", (1, 0), EXACT, ["rfr"]), (BY_BOTH, SOMETHING, "rfr", (1, 0), EXACT, []),
    (BY_BOTH, NIL, None, None, ANY, INVALID_INQUIRY), (4, None, None, None, ANY, INVALID_INQUIRY),
])
def test_ept_lookup_finds(server, inquiry, obj, name, version, option, found):
    """C706 appendix O: by interface, by object, by both, and how versions are compared."""
    stub = inquiry.to_bytes(4, "little")
    stub += b"\1\0\0\0" + uuid.string_to_bin(obj) if obj else bytes(4)
    if name:
        stub += b"\2\0\0\0" + uuid.string_to_bin(INTERFACES[name][0])
        stub += version[0].to_bytes(2, "little") + version[1].to_bytes(2, "little")
    else:
        stub += bytes(4)
    stub += option.to_bytes(4, "little") + bytes(20) + (500).to_bytes(4, "little")
    rpc = connect(server.epm, epm.MSRPC_UUID_PORTMAP)
    rpc.call(2, stub)
    answer = epm.ept_lookupResponse(rpc.recv())
    assert answer["status"] == (found if isinstance(found, int) else 0 if found else NOT_REGISTERED)
    ports = sorted(port_of(entry["tower"]["tower_octet_string"]) for entry in answer["entries"])
    names = found if not isinstance(found, int) else []
    assert ports == sorted(getattr(server, "store" if which == "async" else which) for which in names)
