"""Every ROP of a real Outlook's start, against an independent decoding of it, and written again to the same bytes."""
import json
import os
import pathlib
import struct
import subprocess

import pytest

ROOT = pathlib.Path(os.environ.get("SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ["MAPIWIRE"]).parent if "MAPIWIRE" in os.environ else ROOT / "build"
TOOL = BUILD / "tests/unit/mapi/rop_lines"
CAPTURE = pathlib.Path(os.environ.get("CAPTURES", ROOT / "../shared/captures")) / "outlook2000-start.pcap"
TRUTH = pathlib.Path(str(CAPTURE) + ".rops.json")

pytestmark = pytest.mark.skipif(not TRUTH.exists(), reason=f"no captures in {CAPTURE.parent}")


def segments():
    """(frame, source, destination, sequence number, payload) of each TCP segment."""
    data = CAPTURE.read_bytes()
    assert data[:4] == b"\xd4\xc3\xb2\xa1"
    at, frame = 24, 0
    while at < len(data):
        size, = struct.unpack_from("<I", data, at + 8)
        packet = data[at + 16:at + 16 + size]
        at, frame = at + 16 + size, frame + 1
        if packet[12:14] != b"\x08\x00" or packet[23] != 6:
            continue
        ip = packet[14:14 + struct.unpack_from(">H", packet, 16)[0]]
        tcp = ip[(ip[0] & 15) * 4:]
        source, destination, sequence = struct.unpack_from(">HHI", tcp)
        payload = tcp[(tcp[12] >> 4) * 4:]
        if payload:
            yield frame, (ip[12:16], source), (ip[16:20], destination), sequence, payload


def streams():
    """For each direction of a connection: (frame of each byte's segment, bytes), retransmissions left out."""
    found = {}
    for frame, source, destination, sequence, payload in segments():
        found.setdefault((source, destination), []).append((sequence, frame, payload))
    for key, parts in found.items():
        first = parts[0][0]
        parts = sorted(((sequence - first) & 0xFFFFFFFF, frame, payload) for sequence, frame, payload in parts)
        data, frames = bytearray(), []
        for offset, frame, payload in parts:
            if offset <= len(data) < offset + len(payload):
                frames.append((len(data), frame))
                data += payload[len(data) - offset:]
        yield key, frames, bytes(data)


def stubs():
    """{(client, frame of the first fragment): (kind, call id, stub)} of requests and responses."""
    found = {}
    for (source, destination), frames, data in streams():
        at, open_calls = 0, {}
        while at + 24 <= len(data) and data[at:at + 2] == b"\x05\x00":
            kind, flags = data[at + 2], data[at + 3]
            size, auth, call = struct.unpack_from("<HHI", data, at + 8)
            if size < 16 or at + size > len(data):
                break
            frame = max(f for offset, f in frames if offset <= at)
            if kind in (0, 2):
                end = at + size - (auth + 8 + data[at + size - auth - 6] if auth else 0)
                if flags & 1:
                    open_calls[call] = (frame, bytearray())
                if call in open_calls:
                    open_calls[call][1].extend(data[at + 24:end])
                    if flags & 2:
                        first, stub = open_calls.pop(call)
                        client = source if kind == 0 else destination
                        name = ".".join(map(str, client[0])) + f":{client[1]}"
                        found[name, kind, call, first] = bytes(stub)
            at += size
    return found


def payload(stub):
    size, = struct.unpack_from("<I", stub, 28)
    return bytes(b ^ 0xA5 for b in stub[32:32 + size])


@pytest.fixture(scope="module")
def pairs():
    """(side of the truth, answer of our decoder), in order."""
    if not TOOL.exists():
        pytest.skip(f"{TOOL} is not built")
    lines, truths = [], []
    all_stubs = stubs()
    for number, connection in enumerate(json.loads(TRUTH.read_text())["connections"]):
        for call in connection["calls"]:
            client = connection["client"]
            sides = [("Q", 0, call)] if call.get("method") == "EcDoRpc" else []
            if call.get("response_only"):
                sides.append(("R", 2, call))
            elif sides and call.get("response"):
                sides.append(("R", 2, call["response"]))
            for letter, kind, side in sides:
                stub = all_stubs.get((client, kind, side["call_id"], side["frame"]))
                if stub is None:
                    continue
                lines.append(f"{letter} {number} {payload(stub).hex()}\n")
                truths.append((letter, side, payload(stub)))
    run = subprocess.run([TOOL], input="".join(lines), capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(answers) == len(truths)
    return list(zip(truths, answers))


def test_all_are_seen(pairs):
    counts = {"Q": 0, "R": 0}
    for (letter, _, _), answer in pairs:
        counts[letter] += len(answer["rops"])
    truth = json.loads(TRUTH.read_text())
    assert counts["Q"] == sum(truth["request_rops"].values()) == 306
    assert counts["R"] == sum(truth["response_rops"].values()) == 328


def test_each_rop_is_what_it_is(pairs):
    for (_, side, _), answer in pairs:
        assert answer["result"] == 0 and answer["error"] == 0, (side["frame"], answer)
        if "rops" not in side:  # the answer to a request before the capture: the truth counts its ROPs only
            continue
        assert [rop["name"] for rop in answer["rops"]] == [rop["name"] for rop in side["rops"]], side["frame"]
        for ours, theirs in zip(answer["rops"], side["rops"]):
            if "idx" in theirs:
                assert ours["rv"] == int(theirs["rv"], 16)
            for mine, other in (("in", "in"), ("in", "src"), ("out", "out")):
                if other in theirs and "idx" not in theirs:
                    assert ours[mine] == theirs[other]


def object_id(b):
    return f"{int.from_bytes(b[:2], 'little'):04x}-{b[2:].hex()}"


def number(b):
    return int.from_bytes(b, "little")


def tag(b):
    return f"{number(b):08x}"


def text(b):
    return b.rstrip(b"\0").decode("latin-1")


# What the truth calls it: the leaves that hold it (the first that there is), and how to read them.
FIELDS = {
    "fid": (["TableRowFolderID", "FolderId"], object_id),
    "mid": (["TableRowMessageID", "MessageId"], object_id),
    "id": (["ObjectId"], object_id),
    "after_fid": (["InsertAfterTableRowFolderID"], object_id),
    "after_mid": (["InsertAfterTableRowID"], object_id),
    "after_instance": (["InsertAfterTableRowInstance"], number),
    "instance": (["TableRowInstance"], number),
    "rowlen": (["TableRowDataSize"], number),
    "table_event": (["TableEventType"], number),
    "total": (["TotalMessageCount"], number),
    "unread": (["UnreadMessageCount"], number),
    "class": (["MessageClass", "ExplicitMessageClass"], text),
    "essdn": (["Essdn"], text),
    "codepage": (["CodePageId"], number),
    "associated": (["AssociatedFlag"], number),
    "has_mid": (["HasMessageId"], number),
    "has_rules": (["HasRules"], number),
    "ghosted": (["IsGhosted"], number),
    "limit": (["PropertySizeLimit"], number),
    "unicode": (["WantUnicode"], number),
    "subobjects": (["WantSubObjects"], number),
    "async": (["WantAsynchronous"], number),
    "notify_non_read": (["NotifyNonRead"], number),
    "partial": (["PartialCompletion"], number),
    "attach_id": (["AttachmentID"], number),
    "RecipientCount": (["RecipientCount"], number),
    "size_needed": (["SizeNeeded"], number),
    "session": (["SessionIndex"], number),
    "len": (["DataSize"], number),
    "whole": (["WantWholeStore"], number),
    "replid": (["ReplId"], number),
    "response_flags": (["ResponseFlags"], number),
    "tag": (["PropertyTag"], tag),
    "origin": (["Origin"], number),
    "changed": (["ReadStatusChanged"], number),
}


def leaves_of(rop, answer, data):
    """(name, bytes) of the leaves of one ROP."""
    end = rop["offset"] + rop["size"]
    return [(name, data[at:at + size]) for name, at, size in answer["leaves"] if rop["offset"] <= at < end]


def test_fields(pairs):
    compared = set()
    for (_, side, data), answer in pairs:
        for rop, theirs in zip(answer["rops"], side.get("rops", [])):
            leaves = leaves_of(rop, answer, data)
            for key in theirs.keys() & FIELDS.keys():
                names, read = FIELDS[key]
                found = [b for name in names for leaf, b in leaves if leaf == name]
                assert found, (side["frame"], theirs, leaves)
                assert read(found[0]) == theirs[key], (side["frame"], key, theirs)
                compared.add(key)
    assert compared == FIELDS.keys()


def same_value(theirs, ours):
    if isinstance(theirs, bool):
        return ours[-1:] == bytes([theirs])
    if isinstance(theirs, int):
        return number(ours[-8:]) == theirs or number(ours[-4:]) == theirs or number(ours) == theirs
    if theirs.startswith("err "):
        return number(ours[-4:]) == int(theirs[4:], 16)
    return ours.hex() == theirs or text(ours) == theirs or ours.rstrip(b"\0").decode("cp1252", "replace") == theirs


def test_rows(pairs):
    """Values in their order; a row with a value of several leaves (multiple, server id) counts only its leaves."""
    rows = values = 0
    for (_, side, data), answer in pairs:
        for rop, theirs in zip(answer["rops"], side.get("rops", [])):
            row = theirs.get("row")
            if not isinstance(row, dict):
                continue
            # A tag asked for twice stands once in the truth.
            leaves = list(dict(leaves_of(rop, answer, data)[4:]).values())
            if any((tag[4] == "1" or tag.endswith("fb")) and not str(value).startswith("err")
                   for tag, value in row.items()):
                assert len(leaves) >= len(row)
                continue
            assert len(leaves) == len(row), (side["frame"], row)
            for (tag_text, value), ours in zip(row.items(), leaves):
                assert same_value(value, ours), (side["frame"], tag_text, value, ours)
                values += 1
            rows += 1
    assert rows > 25 and values > 500


def test_bytes_come_back(pairs):
    for (_, side, _), answer in pairs:
        assert answer["same"], (side["frame"], answer)


def test_the_trace_goes_forward(pairs):
    assert all(answer["disorder"] == 0 for _, answer in pairs)
