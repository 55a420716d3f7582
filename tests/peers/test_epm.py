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
