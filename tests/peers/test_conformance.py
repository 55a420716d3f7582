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
    drivers = "".join(path.read_text(encoding="utf-8") for path in (SOURCE_ROOT / "tests" / "peers").glob("rops*.py"))
    for rop, (name, yes, test, limits) in rows().items():
        text = (SOURCE_ROOT / "tests" / "peers" / test).read_text(encoding="utf-8")
        if yes:
            assert re.search(rf"0x{rop:02x}\b", drivers + text, re.I), f"no test builds Rop{name}"
        else:
            assert limits, f"Rop{name}: why is it not served?"


def attack_rows(document="conformance.md"):
    text = (SOURCE_ROOT / "docs" / document).read_text(encoding="utf-8")
    table = text[text.index("\n## Attacks"):].split("\n## ")[1]
    return [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| ")][1:]


def machine_tests(cell):
    """(file, function): "hostile: test_a, test_b; ../ndr/x: test_c"."""
    for part in filter(None, map(str.strip, cell.split(";"))):
        name, functions = part.split(": ")
        folder, _, name = name.rpartition("/")
        for function in functions.split(", "):
            yield (SOURCE_ROOT / "tests/unit/rpc" / folder / f"test_{name}.c").resolve(), function


def test_each_attack_has_its_tests():
    assert len(attack_rows()) > 20
    attacks = "".join((SOURCE_ROOT / "tests/peers" / name).read_text(encoding="utf-8") for name in ("test_attacks.py", "test_memory.py"))
    for attack, _, machine, server in attack_rows():
        assert server.strip(), attack
        for function in server.strip().split(", "):
            assert f"def {function}(" in attacks, function
        for path, function in machine_tests(machine.strip()):
            assert f"{function}(void **state)" in path.read_text(encoding="utf-8"), (path, function)


def test_each_attack_on_http_has_its_tests():
    """There the server's cells name their files as the machine's do; one of both may be empty."""
    for document in "conformance-mapihttp.md", "conformance-rpch.md":
        rows = attack_rows(document)
        assert len(rows) > 7
        for attack, _, machine, server in rows:
            assert (machine + server).strip(), attack
            for path, function in machine_tests(machine.strip()):
                path = SOURCE_ROOT / "tests/unit/http" / path.name
                assert f"{function}(void **state)" in path.read_text(encoding="utf-8"), (path, function)
            for part in filter(None, map(str.strip, server.split(";"))):
                name, functions = part.split(": ")
                text = (SOURCE_ROOT / f"tests/peers/test_{name}.py").read_text(encoding="utf-8")
                for function in functions.split(", "):
                    assert f"def {function}(" in text, (name, function)
