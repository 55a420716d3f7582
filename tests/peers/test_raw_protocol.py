"""Samba's suite of raw PDUs, samba.tests.dcerpc.raw_protocol, against our server on port 135.

The suite was written against Windows and holds which fault, reason and flags it answers with, and whether the
connection survives. It runs once, in a process of its own; each of its tests is one of ours. Python files that Debian's
python3-samba installs; not a line of them is here. What a row of docs/conformance.md names "raw: NAME" is test NAME.
"""
import json
import os
import re
import subprocess
import sys

import pytest

from conftest import Server, USERS
from namespace import new_namespace
from realm import KDC, REALM, Realm

HOST = "127.0.0.1"
suite = pytest.importorskip("samba.tests.dcerpc.raw_protocol", reason="python3-samba is not installed")
pytestmark = pytest.mark.peer("Samba's raw_protocol")
NAMES = sorted(name for name in dir(suite.TestDCERPC_BIND) if name.startswith("test_"))

# What is not asked of us, and why. The first pattern that fits counts.
EXCLUDED = (
    (r"lsa_|assoc_group_(ok2|fail3)", "talks to LSA through an SMB pipe, which only Samba and Windows have"),
)
# What wants a KDC. NTLM within SPNEGO signs the header in any case.
KERBEROS = re.compile(r"krb5|spnego_multiple_auth_hdr_signing")

RUNNER = """
import json, sys, unittest
import samba.dcerpc.base as base, samba.dcerpc.dcerpc as dcerpc, samba.dcerpc.epmapper as epmapper
import samba.tests.dcerpc.raw_protocol as suite

# Netlogon's netr_ServerReqChallenge stands for any operation 4 that answers with a status at its end. The mapper's is
# ept_lookup_handle_free: of a handle that is nil, answered by a nil handle and 0. That its answer is longer than
# netlogon's 12 bytes is settled here, where all of it is compared.
HANDLE, ANSWER, NETLOGON = bytes(20), bytes(24), 12

class Ours(suite.TestDCERPC_BIND):
    as_netlogon = False

    def _get_netlogon_ctx(self):
        ctx, ack = self.prepare_presentation(epmapper.abstract_syntax(), base.transfer_syntax_ndr(), context_id=0,
                                             return_ack=True)
        self.as_netlogon = True
        return ctx, ack, HANDLE

    def recv_pdu(self, *words, **options):
        # After each of 721 fragments the suite waits for a fault that must not come; the next wait would find it too.
        if "fragmented" in self._testMethodName and "timeout" in options:
            options["timeout"] = 0.001
        pdu = super().recv_pdu(*words, **options)
        if self.as_netlogon and pdu and pdu.ptype == dcerpc.DCERPC_PKT_RESPONSE:
            self.assertEqual(bytes(pdu.u.stub_and_verifier), ANSWER)
            self.assertEqual(pdu.u.alloc_hint, len(ANSWER))
            pdu.u.stub_and_verifier, pdu.u.alloc_hint = ANSWER[-NETLOGON:], NETLOGON
        return pdu

class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.said = {}
    def addSuccess(self, test):
        self.said[test._testMethodName] = ""
    def addFailure(self, test, why):
        self.said[test._testMethodName] = self._exc_info_to_string(why, test)
    addError = addFailure
    def addSkip(self, test, why):
        self.said[test._testMethodName] = "the suite skipped it: " + why

result = Result()
for name in json.loads(sys.argv[1]):
    Ours(name).run(result)
print("\\n" + json.dumps(result.said))
"""


def excluded(name):
    for pattern, reason in EXCLUDED:
        if re.search(pattern, name):
            return reason
    return None


def run_suite(folder, template, names, more_environment, *options):
    """What each of these tests said: an empty string is a pass."""
    state = folder / "state"
    subprocess.run(["cp", "-a", str(template), str(state)], check=True)
    config = folder / "smb.conf"
    config.write_text(f"[global]\nworkgroup = DEMO\nrealm = {REALM}\n", encoding="utf-8")
    environment = {
        **os.environ, "SERVER": HOST, "TARGET_HOSTNAME": HOST, "DOMAIN": "DEMO", "REALM": REALM,
        "USERNAME": "alice", "PASSWORD": USERS["alice"][1], "SMB_CONF_PATH": str(config), **more_environment}
    server = Server(state, "--listen", HOST, "--epm-port", "135", *options)
    done = subprocess.run([sys.executable, "-c", RUNNER, json.dumps(names)], env=environment, capture_output=True,
                          text=True, timeout=240)
    server.stop()
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def namespace():
    """The suite is tied to port 135."""
    with new_namespace() as made:
        yield made


@pytest.fixture(scope="module")
def plain(namespace, state_template, tmp_path_factory):
    """Without a KDC in sight: SPNEGO settles on NTLM."""
    names = [name for name in NAMES if not excluded(name) and not KERBEROS.search(name)]
    with namespace:
        return run_suite(tmp_path_factory.mktemp("raw"), state_template, names, {})


@pytest.fixture(scope="module")
def kerberos(namespace, state_template, tmp_path_factory):
    """With one: SPNEGO settles on Kerberos."""
    if not KDC:
        pytest.skip("krb5-kdc is not installed")
    names = [name for name in NAMES if "spnego" in name or KERBEROS.search(name)]
    with namespace:
        realm = Realm(tmp_path_factory.mktemp("realm"))
        environment = {"KRB5_CONFIG": realm.env["KRB5_CONFIG"], "TARGET_HOSTNAME": "mail.demo.test"}
        try:
            return run_suite(tmp_path_factory.mktemp("raw"), state_template, names, environment, "--keytab",
                             str(realm.keytab))
        finally:
            realm.stop()


@pytest.mark.parametrize("name", NAMES)
def test_raw_protocol(name, request):
    reason = excluded(name)
    if reason:
        pytest.skip(reason)
    said = request.getfixturevalue("kerberos" if KERBEROS.search(name) else "plain")[name]
    assert said == "", said


@pytest.mark.parametrize("name", [name for name in NAMES if "spnego" in name and not KERBEROS.search(name)])
def test_spnego_around_kerberos(name, kerberos):
    assert kerberos[name] == "", kerberos[name]


def test_most_of_it_runs():
    """Neither an update of the suite nor a careless pattern empties this file."""
    assert len(NAMES) >= 194
    assert sum(not excluded(name) for name in NAMES) >= 182
