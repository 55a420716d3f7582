"""look --jobs: what is shown does not depend on how many cores read the file."""
import struct
import subprocess

import pytest

from conftest import CAPTURES, program

FILES = sorted(p for p in CAPTURES.glob("*.pcap*") if p.suffix in (".pcap", ".pcapng")) if CAPTURES.is_dir() else []
VIEWS = [[], ["--all"], ["--json"], ["--stats"], ["--problems"], ["--top", "time"], ["--json", "-Y", "ms > 1"]]
START = "outlook2000-start.pcap"


def shown(file, jobs, *options):
    done = subprocess.run([program(), "look", "--jobs", str(jobs), *options, str(file)], capture_output=True,
                          timeout=120)
    return done.returncode, done.stdout, done.stderr


def frames_of(data):
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        yield data[at:at + 16], data[at + 16:at + 16 + size]
        at += 16 + size


def multiplied(source, copies):
    """The capture again and again between other hosts, a start every five frames."""
    data = source.read_bytes()
    frames = list(frames_of(data))
    out = []
    for copy in range(copies):
        for number, (head, frame) in enumerate(frames):
            if frame[12:14] == b"\x08\x00":
                changed = bytearray(frame)
                changed[27] = changed[31] = copy  # the second byte of both addresses
                frame = bytes(changed)
            out.append((number + copy * 5, copy, head + frame))
    out.sort(key=lambda one: one[:2])
    return data[:24] + b"".join(one[2] for one in out)


@pytest.mark.skipif(not FILES, reason="CAPTURES names no folder with captures")
@pytest.mark.parametrize("file", FILES, ids=lambda p: p.name)
def test_captures_are_shown_the_same(file):
    for options in VIEWS[:3]:
        assert shown(file, 3, *options) == shown(file, 1, *options), options


@pytest.mark.skipif(not (CAPTURES / START).exists(), reason=f"there is no {START}")
def test_many_starts_are_shown_the_same(tmp_path):
    file = tmp_path / "many.pcap"
    file.write_bytes(multiplied(CAPTURES / START, 25))
    for options in VIEWS:
        alone = shown(file, 1, *options)
        assert alone[0] == 0 and alone[1].count(b"\n") > 10
        assert shown(file, 4, *options) == alone, options


@pytest.mark.skipif(not (CAPTURES / START).exists(), reason=f"there is no {START}")
def test_a_page_is_the_same(tmp_path):
    pages = []
    for jobs in (1, 3):
        page = tmp_path / f"{jobs}.html"
        shown(CAPTURES / START, jobs, "--html", str(page))
        pages.append(page.read_bytes())
    assert len(pages[0]) > 100000 and pages[0] == pages[1]
