"""RPC over HTTP against what real peers send."""
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(os.environ.get("SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ["MAPIWIRE"]).parent if "MAPIWIRE" in os.environ else ROOT / "build"
TOOL = BUILD / "tests/unit/http/rts_tool"


def read_pdus(lines):
    if not TOOL.exists():
        pytest.skip(f"{TOOL} was not built")
    done = subprocess.run([TOOL], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_first_pdus_of_outlook():
    """What a real Outlook sends first on each channel: read, named, and written again byte for byte."""
    folder = os.environ.get("CAPTURES")
    if not folder:
        pytest.skip("CAPTURES names no folder of captures")
    pdus = json.loads((pathlib.Path(folder) / "outlook-rts-pdus.json").read_text())
    into = read_pdus([pdus["TESTDATA_INITIAL_PDU_IN"]])
    out = read_pdus([pdus["TESTDATA_INITIAL_PDU_OUT"]])
    assert into.startswith("CONN/B1 same\n") and out.startswith("CONN/A1 same\n")
    assert "ClientKeepalive = 300000" in into and "ChannelLifetime = 1073741824" in into
    assert "ReceiveWindowSize = 65536" in out
    cookie = "Cookie = 97f81597-6df6-4e23-78ca-176fdde1bf2d"  # of the virtual connection: on both
    assert cookie in into and cookie in out
    assert read_pdus([pdus["TESTDATA_INITIAL_PDU_IN"][:-2]]).startswith("refused: ")
