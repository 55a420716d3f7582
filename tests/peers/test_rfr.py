"""The referral service, asked by impacket's client."""
import pytest

oxabref = pytest.importorskip("impacket.dcerpc.v5.oxabref", reason="python3-impacket is not installed")
from impacket.dcerpc.v5.rpcrt import DCERPCException  # noqa: E402

from peer import bound_rpc, dn_of  # noqa: E402

SERVER_DN = "/o=DEMO/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/cn=Servers/cn=MAIL"


@pytest.mark.parametrize("level", ["none", "connect", "integrity", "privacy"])
def test_both_methods_name_this_server(server, level):
    rpc = bound_rpc(server.rfr, oxabref.MSRPC_UUID_OXABREF, level)
    assert oxabref.hRfrGetNewDSA(rpc, dn_of("alice"))["ppszServer"] == "127.0.0.1"
    assert oxabref.hRfrGetFQDNFromServerDN(rpc, SERVER_DN)["ppszServerFQDN"] == "127.0.0.1"


def test_the_name_is_the_configured_one(serve):
    server = serve("--host", "mail.demo.test")
    rpc = bound_rpc(server.rfr, oxabref.MSRPC_UUID_OXABREF)
    assert oxabref.hRfrGetNewDSA(rpc, dn_of("alice"))["ppszServer"] == "mail.demo.test"


@pytest.mark.parametrize("dn", ["/o=x", "/o=" + "x" * 1100])
def test_a_dn_out_of_range_is_a_bad_stub(server, dn):
    rpc = bound_rpc(server.rfr, oxabref.MSRPC_UUID_OXABREF)
    with pytest.raises(DCERPCException) as refused:
        oxabref.hRfrGetFQDNFromServerDN(rpc, dn)
    assert "bad_stub_data" in str(refused.value)
    assert oxabref.hRfrGetNewDSA(rpc, dn_of("alice"))["ppszServer"] == "127.0.0.1"
