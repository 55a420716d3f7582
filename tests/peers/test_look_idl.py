"""The lens opens an interface that a user describes: the build knows LSARPC by name only."""
import json

import pytest

from conftest import CAPTURES, run

IDL = """
[ uuid(12345778-1234-abcd-ef00-0123456789ab), version(0.0), pointer_default(unique) ]
interface lsarpc
{
	typedef [context_handle] void *LSAPR_HANDLE;

	long LsarClose([in, out] LSAPR_HANDLE *ObjectHandle);
}
"""


def test_an_idl_opens_its_calls(tmp_path):
    capture = CAPTURES / "outlook2000-start.pcap"
    if not capture.exists():
        pytest.skip(f"{capture} is not there")
    idl = tmp_path / "lsa.idl"
    idl.write_text(IDL, encoding="utf-8")
    events = [json.loads(line) for line in run("look", capture, "--all", "--json", "--idl", idl).stdout.splitlines()]
    closes = [e for e in events if e.get("op") == "LsarClose" and e["event"] == "request"]
    assert closes
    frame = closes[0]["frame"]
    assert "ObjectHandle" in run("look", capture, "--all", "--tree", frame, "--idl", idl).stdout
    assert "ObjectHandle" not in run("look", capture, "--all", "--tree", frame).stdout


def test_a_broken_idl_is_said_with_its_line(tmp_path):
    idl = tmp_path / "broken.idl"
    idl.write_text("interface broken\n{\n\tlong f([in] nothing x);\n}\n", encoding="utf-8")
    done = run("look", "-", "--idl", idl, stdin="", check=False)
    assert done.returncode == 1 and "broken.idl:3:" in done.stderr, done.stderr
