"""NDR64 and big-endian stubs to our running server, from Samba's and impacket's clients."""
import pytest

rpcrt = pytest.importorskip("impacket.dcerpc.v5.rpcrt", reason="python3-impacket is not installed")
from impacket.dcerpc.v5 import nspi, oxabref  # noqa: E402
from impacket.uuid import uuidtup_to_bin  # noqa: E402

from peer import dn_of, open_rpc  # noqa: E402

NDR64 = ("71710533-BEBA-4937-8319-B5DBEF9CCC36", "1.0")
SERVED = {
    "rfr": ("1544F5E0-613C-11D1-93DF-00C04FD7BD09", "1.0"),
    "nspi": ("F5CC5A18-4264-101A-8C59-08002B2F8426", "56.0"),
    "store": ("A4F1DB00-CA47-1067-B31F-00DD010662DA", "0.81"),
    "epm": ("E1AF8308-5D1F-11C9-91A4-08002B14A0FA", "3.0"),
}


@pytest.mark.parametrize("port", SERVED)
def test_each_interface_takes_ndr64(server, port):
    rpc = open_rpc(getattr(server, port))
    rpc.bind(uuidtup_to_bin(SERVED[port]), transfer_syntax=NDR64)
    rpc.disconnect()


def test_referral_in_ndr64(server):
    rpc = open_rpc(server.rfr)
    rpc.bind(oxabref.MSRPC_UUID_OXABREF, transfer_syntax=NDR64)
    assert oxabref.hRfrGetNewDSA(rpc, dn_of("alice"))["ppszServer"] == "127.0.0.1"
    rpc.disconnect()


def test_address_book_bind_in_ndr64(server):
    rpc = open_rpc(server.nspi)
    rpc.bind(nspi.MSRPC_UUID_NSPI, transfer_syntax=NDR64)
    handle = nspi.hNspiBind(rpc)["contextHandle"]
    assert nspi.hNspiUnbind(rpc, handle)["ErrorCode"] == 1
    rpc.disconnect()


@pytest.mark.peer("Samba's client library")
@pytest.mark.parametrize("option", ["ndr", "ndr64", "bigendian", "ndr64,bigendian"])
def test_samba_client(server, option, tmp_path):
    mgmt = pytest.importorskip("samba.dcerpc.mgmt", reason="python3-samba is not installed")
    from samba import credentials, param
    (tmp_path / "smb.conf").write_text("[global]\nworkgroup = DEMO\n", encoding="utf-8")
    settings = param.LoadParm()
    settings.load(str(tmp_path / "smb.conf"))
    nobody = credentials.Credentials()
    nobody.set_anonymous()
    options = "" if option == "ndr" else f",{option}"
    client = mgmt.mgmt(f"ncacn_ip_tcp:127.0.0.1[{server.epm}{options}]", settings, nobody)
    found = client.inq_if_ids()
    assert found.count == 2
    assert {str(entry.id.uuid) for entry in found.if_id} == {
        "e1af8308-5d1f-11c9-91a4-08002b14a0fa", "afa8bd80-7d8a-11c9-bef4-08002b102989"}
    assert client.is_server_listening()[1] == 1
    # Samba describes the answer as one conformant structure, which C706 appendix Q does not; only NDR64 tells them apart.
    if "ndr64" not in option:
        statistics = client.inq_stats(4, 0)
        assert statistics.count == 4 and statistics.statistics[0] >= 1
