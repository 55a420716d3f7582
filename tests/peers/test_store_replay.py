"""The ROPs that a real client sent to a real server, sent to ours: every answer is well-formed.

The requests are taken from the capture by tshark and a reader of our own, the handles are mapped, and folders, messages
and the mailbox are replaced by ours. Skipped where the captures are not there: they are not part of the project."""
import json
import re
import shutil
import struct
import subprocess
from collections import Counter, defaultdict

import pytest

pytest.importorskip("impacket", reason="python3-impacket is not installed")
import rops  # noqa: E402
import rops_more  # noqa: E402,F401: the readers of further answers
from conftest import CAPTURES, SOURCE_ROOT  # noqa: E402
from peer import dn_of  # noqa: E402
from rops import MID, NO_HANDLE, SUBJECT_W, Cursor, Store  # noqa: E402

NOT_FOUND = 0x8004010F
CAPTURE = CAPTURES / "outlook2000-start.pcap"
INBOX = 4
# The rows of the server's own table; Release has no answer.
SERVED = {int(row, 16) for row in re.findall(r"^\s*\{(0x[0-9A-F]{2}),",
                                             (SOURCE_ROOT / "src/server/emsmdb/rop.c").read_text(), re.M)}


def streams():
    """What each client sent to the store's port, in order."""
    words = ["tshark", "-r", str(CAPTURE), "-Y", "tcp.dstport==1032 && tcp.len>0", "-T", "fields", "-o",
             "tcp.relative_sequence_numbers:false", "-e", "ip.src", "-e", "tcp.srcport", "-e", "tcp.seq_raw", "-e", "tcp.payload"]
    out = defaultdict(dict)
    for line in subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines():
        address, port, sequence, payload = line.split("\t")
        out[f"{address}:{port}"][int(sequence)] = bytes.fromhex(payload.replace(":", ""))
    for client, segments in out.items():
        at, data = min(segments), b""
        for sequence in sorted(segments):
            data += segments[sequence][max(0, at - sequence):]
            at = max(at, sequence + len(segments[sequence]))
        yield client, data


def calls_of(data):
    """(call id, ROP buffer) of each EcDoRpc, as captures/README.md describes its stub."""
    while len(data) >= 24:
        if data[:2] != b"\5\0":  # the capture began, or lost bytes, inside a PDU
            data = data[1:]
            continue
        kind, flags, length, _, call = struct.unpack_from("<2xBB4xHHI", data)
        if kind == 0:
            opnum, = struct.unpack_from("<H", data, 22)
            if opnum == 2 and flags & 3 == 3:
                _, _, actual = struct.unpack_from("<3I", data, 44)
                yield call, bytes(b ^ 0xA5 for b in data[56:56 + actual])
        data = data[max(length, 16):]


def size_of(rop):
    """Bytes of the request that stands at the beginning: [MS-OXCROPS] 2.2."""
    def count(at, size):
        return at + 2 + size * struct.unpack_from("<H", rop, at)[0]
    fixed = {0x01: 3, 0x02: 13, 0x03: 23, 0x06: 15, 0x0C: 5, 0x10: 5, 0x11: 5, 0x15: 7, 0x21: 5, 0x22: 9, 0x2B: 9, 0x43: 11}
    counted = {0x07: (7, 4), 0x0A: (3, 1), 0x12: (4, 4), 0x1E: (5, 8), 0x39: (7, 4), 0x67: (6, 4), 0xFE: (12, 1)}
    if rop[0] in counted:
        return count(*counted[rop[0]])
    if rop[0] == 0x27:
        return rop.index(b"\0", 3) + 1
    if rop[0] == 0x29:
        return 7 if rop[6] else 23
    if rop[0] == 0x2C:
        return 9 if rop[3:5] == b"\xBE\xBA" else 5
    return fixed[rop[0]]


def split(buffer):
    body, handles = rops.split_payload(buffer)
    requests = []
    while body:
        size = size_of(body)
        assert size <= len(body)
        requests.append(body[:size])
        body = body[size:]
    return requests, handles


def index_of(request):
    """Where the handle stands that it works on."""
    return request[3] if request[0] in (0x0C, 0x11) else request[2]


class Replay:
    def __init__(self, server, truth):
        self.store, self.truth = Store(server), truth
        self.store.log_on()
        self.inbox = self.store.folders[INBOX]
        self.message = self.store.save_message(self.inbox, {SUBJECT_W: "there", rops.BODY_HTML: b"<p>long</p>" * 100,
                                                            rops.BODY_W: "body", 0x10090102: b"rtf"})
        self.known, self.statuses = {}, defaultdict(Counter)

    def object_for(self, request):
        """One of ours for a handle that was opened before the capture began."""
        store = self.store
        if request[0] in (0x12, 0x15):
            tags = [MID, SUBJECT_W]
            return store.run([rops.open_folder(self.inbox), rops.contents_table(), rops.set_columns(tags)],
                             [store.root, NO_HANDLE, NO_HANDLE])[1][2]
        if request[0] in (0x0A, 0x0C, 0x2B, 0x2C, 0x10, 0x11, 0x21, 0x22, 0x39, 0x67):
            table = store.one(rops.open_message(self.inbox, self.message), [store.root, NO_HANDLE, NO_HANDLE])[1]
            return table[1] if request[0] != 0x2C else store.one(rops.open_stream(rops.BODY_W), table)[1][2]
        if request[0] == 0x1E:
            return store.one(rops.open_folder(self.inbox), [store.root, NO_HANDLE])[1][1]
        return store.root

    def ours(self, request):
        """The same request about our mailbox."""
        rop = request[0]
        if rop == 0x02:
            return request[:4] + struct.pack("<Q", self.inbox) + request[12:]
        if rop == 0x03:
            return request[:6] + struct.pack("<QBQ", self.inbox, request[14], self.message)
        if rop == 0x06:
            return request[:6] + struct.pack("<Q", self.inbox) + request[14:]
        if rop == 0x29 and not request[6]:
            return request[:7] + struct.pack("<QQ", self.inbox, 0)
        if rop == 0x43:
            return request[:3] + struct.pack("<Q", self.inbox)
        if rop == 0xFE:
            dn = dn_of("alice").encode() + b"\0"
            return request[:12] + struct.pack("<H", len(dn)) + dn
        return request

    def map_handles(self, requests, handles):
        outputs = {request[3] for request in requests if request[0] in (0x02, 0x03, 0x06, 0x21, 0x22, 0x29, 0x2B)}
        outputs |= {request[2] for request in requests if request[0] == 0xFE}
        for request in requests:
            index = index_of(request)
            if request[0] in (0xFE, 0x01) or index in outputs or handles[index] in self.known:
                continue
            self.known[handles[index]] = self.object_for(request)
        return [NO_HANDLE if at in outputs else self.known.get(handle, NO_HANDLE) for at, handle in enumerate(handles)]

    def call(self, requests, handles, answered):
        ours = [self.ours(request) for request in requests]
        table = self.map_handles(requests, handles)
        responses, after = self.store.run(ours, table, room=0x8007)
        asked = [request for request in requests if request[0] != 0x01]
        assert self.store.rest is None and len(responses) == len(asked)
        for request, response in zip(asked, responses):
            self.statuses[request[0]][response["status"]] += 1
            nothing = request[0] != 0xFE and after[index_of(request)] == NO_HANDLE  # what a ROP not served would have opened
            assert request[0] not in SERVED or (response["status"] == rops.NULL_OBJECT) == nothing
        for captured, mine, before in zip(answered, after, table):
            if mine != before or mine == NO_HANDLE:
                self.known[captured] = mine


@pytest.fixture(scope="module")
def truth():
    if not CAPTURE.exists():
        pytest.skip(f"{CAPTURE} is not here: real captures are not part of the project")
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed: apt-get install tshark")
    return json.loads((CAPTURES / "outlook2000-start.pcap.rops.json").read_text(encoding="utf-8"))


def test_the_requests_of_a_real_client_are_answered_well_formed(server, truth):
    sent, statuses = Counter(), defaultdict(Counter)
    by_client = {c["client"]: {call["call_id"]: call for call in c["calls"] if "opnum" in call} for c in truth["connections"]}
    names = {int(rop["rop"], 16): rop["name"] for calls in by_client.values() for call in calls.values()
             for rop in call.get("rops", [])}
    for client, data in streams():
        replay = Replay(server, truth)
        for call, buffer in calls_of(data):
            requests, handles = split(buffer)
            sent.update(names[request[0]] for request in requests)
            known = by_client[client][call]
            assert [int(rop["rop"], 16) for rop in known["rops"]] == [request[0] for request in requests]
            answered = [int(h, 16) for h in known.get("response", {}).get("handles_out", [])]
            replay.call(requests, handles, answered or handles)
        for rop, counts in replay.statuses.items():
            statuses[rop] += counts
    assert sent == Counter(truth["request_rops"])
    for rop, counts in statuses.items():
        if rop in SERVED:
            # What the captured mailbox had and this one has not, such as an attachment, is not found.
            assert counts[0] > 0 or set(counts) <= {rops.NULL_OBJECT, NOT_FOUND}, f"{names[rop]}: {counts}"
        else:
            assert set(counts) <= {rops.NOT_SUPPORTED}, f"{names[rop]}: {counts}"
    served = sum((statuses[rop] for rop in SERVED), Counter())
    assert served[0] > 0.9 * (sum(served.values()) - served[rops.NULL_OBJECT] - served[NOT_FOUND]), served
