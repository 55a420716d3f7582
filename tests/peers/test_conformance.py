"""docs/conformance-rops.md says what the server does: compared with the server's table and the tests that it names."""
import re

from conftest import SOURCE_ROOT
from rops_more import served

RELEASE = 0x01  # has no answer, and so no row in the server's table


def rows():
    text = (SOURCE_ROOT / "docs" / "conformance-rops.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| 0x([0-9A-F]{2}) \| Rop(\w+) \| (yes|no) \| (\S+) \| (.*?) ?\|$", text, re.M)
    assert len(found) == len(re.findall(r"^\| 0x", text, re.M))
    return {int(rop, 16): (name, yes == "yes", test, limits) for rop, name, yes, test, limits in found}


def test_each_rop_has_its_row():
    described = re.findall(r"request\(0x([0-9A-Fa-f]{2})\)[^\]]*\]\s*struct Rop(\w+)Request",
                           (SOURCE_ROOT / "wire" / "rops.idl").read_text(encoding="utf-8"))
    assert {int(rop, 16): name for rop, name in described} == {rop: row[0] for rop, row in rows().items()}


def test_served_is_what_the_server_serves():
    assert {rop for rop, row in rows().items() if row[1]} == served() | {RELEASE}


def test_the_tests_are_there_and_build_the_rop():
    drivers = "".join((SOURCE_ROOT / "tests" / "peers" / name).read_text(encoding="utf-8") for name in ("rops.py", "rops_more.py"))
    for rop, (name, yes, test, limits) in rows().items():
        text = (SOURCE_ROOT / "tests" / "peers" / test).read_text(encoding="utf-8")
        if yes:
            assert re.search(rf"0x{rop:02x}\b", drivers + text, re.I), f"no test builds Rop{name}"
        else:
            assert limits, f"Rop{name}: why is it not served?"
