"""Samba's suite of raw PDUs, samba.tests.dcerpc.raw_protocol, against our server on port 135.

The suite was written against Windows and holds which fault, reason and flags it answers with, and whether the
connection survives. It runs once, in a process of its own; each of its tests is one of ours. Python files that Debian's
python3-samba installs; not a line of them is here. What a row of docs/conformance.md names "raw: NAME" is test NAME.
"""
import json
import os
import re
import socket
import subprocess
import sys

import pytest

from conftest import Server, USERS

HOST = "127.0.23.45"  # any loopback address: port 135 of it is free
suite = pytest.importorskip("samba.tests.dcerpc.raw_protocol", reason="python3-samba is not installed")
NAMES = sorted(name for name in dir(suite.TestDCERPC_BIND) if name.startswith("test_"))

# What is not asked of us, and why. The first pattern that fits counts.
EXCLUDED = (
    (r"lsa_|assoc_group_(ok2|fail3)", "talks to LSA through an SMB pipe, which only Samba and Windows have"),
    (r"fragmented_requests0[123]|(2nd|last)_cancel_requests", "wants the answer of netlogon's netr_ServerReqChallenge;"
     " unit tests test_too_long and test_later_fragments hold the same"),
    (r"krb5", "needs a Kerberos realm, which this file does not set up"),
    (r"spnego_multiple_auth_hdr_signing", "needs a Kerberos realm: NTLM within SPNEGO signs the header in any case"),
)

RUNNER = """
import json, sys, unittest
import samba.dcerpc.base as base, samba.dcerpc.mgmt as mgmt
import samba.tests.dcerpc.raw_protocol as suite

class Ours(suite.TestDCERPC_BIND):
    # Netlogon stands for any interface with an operation 4 there; mgmt has one too.
    def _get_netlogon_ctx(self):
        ctx, ack = self.prepare_presentation(mgmt.abstract_syntax(), base.transfer_syntax_ndr(), context_id=0,
                                             return_ack=True)
        return ctx, ack, bytes(64)

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


@pytest.fixture(scope="module")
def results(state_template, tmp_path_factory):
    """What each test of the suite said: an empty string is a pass."""
    with socket.socket() as probe:
        try:
            probe.bind((HOST, 135))
        except OSError as error:
            pytest.skip(f"cannot listen on port 135, to which the suite is tied: {error}")
    folder = tmp_path_factory.mktemp("raw")
    state = folder / "state"
    subprocess.run(["cp", "-a", str(state_template), str(state)], check=True)
    config = folder / "smb.conf"
    config.write_text("[global]\nworkgroup = DEMO\nrealm = DEMO.TEST\n", encoding="utf-8")
    environment = {
        **os.environ, "SERVER": HOST, "TARGET_HOSTNAME": HOST, "DOMAIN": "DEMO", "REALM": "DEMO.TEST",
        "USERNAME": "alice", "PASSWORD": USERS["alice"][1], "SMB_CONF_PATH": str(config)}
    server = Server(state, "--listen", HOST, "--epm-port", "135")
    names = [name for name in NAMES if not excluded(name)]
    done = subprocess.run([sys.executable, "-c", RUNNER, json.dumps(names)], env=environment, capture_output=True,
                          text=True, timeout=240)
    server.stop()
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("name", NAMES)
def test_raw_protocol(name, request):
    reason = excluded(name)
    if reason:
        pytest.skip(reason)
    said = request.getfixturevalue("results")[name]
    assert said == "", said


def test_most_of_it_runs():
    """Neither an update of the suite nor a careless pattern empties this file."""
    assert len(NAMES) >= 194
    assert sum(not excluded(name) for name in NAMES) >= 167
