"""The information store as a client sees it, built by hand from the specifications: stubs of [MS-OXCRPC] 3.1.4 in
NDR, extended buffers (2.2.2.1), ROP buffers of [MS-OXCROPS]. It shares nothing with the tables that it tests."""
import contextlib
import select
import struct

from impacket.dcerpc.v5 import rpcrt
from impacket.uuid import uuidtup_to_bin

from peer import dn_of, open_rpc

EMSMDB = uuidtup_to_bin(("a4f1db00-ca47-1067-b31f-00dd010662da", "0.81"))
ASYNC = uuidtup_to_bin(("5261574a-4572-206e-b268-6b199213b4e4", "0.1"))

SUCCESS, NOT_SUPPORTED, NULL_OBJECT, RPC_FORMAT = 0, 0x80040102, 0x4B9, 0x4B6
NOT_ENCRYPTED, UNKNOWN_USER, ACCESS_DENIED, BUFFER_TOO_SMALL = 0x970, 0x3EB, 0x80070005, 0x47D
NO_COMPRESSION, NO_XOR, CHAIN = 1, 2, 4
PLAIN = NO_COMPRESSION | NO_XOR
COMPRESSED, XORED, LAST = 1, 2, 4
NO_HANDLE = 0xFFFFFFFF

# PidTag...
SUBJECT_W, BODY_W, NAME_W, CLASS_W = 0x0037001F, 0x1000001F, 0x3001001F, 0x001A001F
NORMALIZED_W, MID, FOLDER_ID, CONTENT_COUNT = 0x0E1D001F, 0x674A0014, 0x67480014, 0x36020003
IMPORTANCE, BODY_HTML = 0x00170003, 0x10130102


# ---- NDR, little endian ----

def align(data, to=4):
    return data + b"\0" * (-len(data) % to)


def conformant(data):
    return align(struct.pack("<I", len(data)) + data)


class Cursor:
    """Reads packed little-endian fields and fails beyond the end."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        assert 0 <= size <= len(self.data) - self.at, f"{size} bytes wanted at {self.at} of {len(self.data)}"
        self.at += size
        return self.data[self.at - size:self.at]

    def get(self, form):
        values = struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))
        return values[0] if len(values) == 1 else values

    def align(self, to=4):
        self.take(-self.at % to)

    def varying(self):
        self.align()
        size, offset, length = self.get("III")
        assert offset == 0 and length <= size
        return self.take(length)

    def string_pointer(self):
        self.align()
        return self.varying().rstrip(b"\0") if self.get("I") else None

    def str8(self):
        end = self.data.index(b"\0", self.at)
        return self.take(end + 1 - self.at)[:-1]

    def str16(self):
        out = b""
        while (unit := self.take(2)) != b"\0\0":
            out += unit
        return out.decode("utf-16-le")

    def end(self):
        assert self.at == len(self.data), f"{len(self.data) - self.at} bytes left"


# ---- Extended buffers ----

def decompress(data, size):
    """DIRECT2, [MS-OXCRPC] 3.1.4.1.1.2.2."""
    out, at, bits, mask, nibble = bytearray(), 0, 0, 0, None
    while len(out) < size and at < len(data):
        if bits == 0:
            mask, at, bits = struct.unpack_from("<I", data, at)[0], at + 4, 32
            if at == len(data):
                break
        bits -= 1
        if not mask >> bits & 1:
            out.append(data[at])
            at += 1
            continue
        if at == len(data):
            break
        word, at = struct.unpack_from("<H", data, at)[0], at + 2
        distance, length = (word >> 3) + 1, word & 7
        if length == 7:
            if nibble is None:
                nibble, extra, at = at, data[at] & 15, at + 1
            else:
                extra, nibble = data[nibble] >> 4, None
            length += extra
            if extra == 15:
                length, at = length + data[at], at + 1
                if length == 22 + 255:
                    length, at = struct.unpack_from("<H", data, at)[0], at + 2
        assert distance <= len(out)
        for _ in range(length + 3):
            out.append(out[-distance])
    assert len(out) == size
    return bytes(out)


def extended(payload, flags=LAST):
    data = bytes(b ^ 0xA5 for b in payload) if flags & XORED else payload
    return struct.pack("<4H", 0, flags, len(data), len(payload)) + data


def payloads_of(data):
    """Each payload in clear, with its flags."""
    cursor, out, flags = Cursor(data), [], 0
    while not flags & LAST:
        version, flags, size, actual = cursor.get("4H")
        assert version == 0
        payload = cursor.take(size)
        if flags & XORED:
            payload = bytes(b ^ 0xA5 for b in payload)
        if flags & COMPRESSED:
            assert size < actual
            payload = decompress(payload, actual)
        assert len(payload) == actual <= 0x8000
        out.append((payload, flags))
    cursor.end()
    return out


def rop_buffer(rops, handles):
    body = b"".join(rops)
    return struct.pack("<H", len(body) + 2) + body + struct.pack(f"<{len(handles)}I", *handles)


def split_payload(payload):
    size = struct.unpack_from("<H", payload)[0]
    assert 2 <= size <= len(payload) and (len(payload) - size) % 4 == 0
    return payload[2:size], list(struct.unpack_from(f"<{(len(payload) - size) // 4}I", payload, size))


# ---- Values ----

def value_bytes(tag, value):
    kind = tag & 0xFFFF
    if kind & 0x1000:
        return struct.pack("<I", len(value)) + b"".join(value_bytes(kind & ~0x1000, one) for one in value)
    if kind == 0x1F:
        return value.encode("utf-16-le") + b"\0\0"
    if kind == 0x1E:
        return value + b"\0"
    if kind == 0x102:
        return struct.pack("<H", len(value)) + value
    return struct.pack("<" + {2: "h", 3: "i", 0xB: "B", 0x14: "q", 0x40: "Q", 5: "d"}[kind], value)


def read_value(cursor, kind):
    if kind & 0x2000:  # one of a multiple value: MultivalueInstance, [MS-OXCDATA] 2.11.1.3
        kind &= 0x0FFF
    if kind & 0x1000:
        return [read_value(cursor, kind & ~0x1000) for _ in range(cursor.get("I"))]
    if kind == 0x1F:
        return cursor.str16()
    if kind == 0x1E:
        return cursor.str8()
    if kind in (0x102, 0xFB):
        return cursor.take(cursor.get("H"))
    if kind == 0x48:
        return cursor.take(16)
    return cursor.get({2: "h", 3: "i", 4: "f", 5: "d", 6: "q", 7: "d", 0xA: "I", 0xB: "B", 0x14: "Q", 0x40: "Q"}[kind])


class Missing(int):
    """An error in a value's place."""


def read_row(cursor, tags):
    flagged, row = cursor.get("B"), {}
    assert flagged in (0, 1)
    for tag in tags:
        kind = tag & 0xFFFF
        if kind == 0:
            kind = cursor.get("H")
        flag = cursor.get("B") if flagged else 0
        assert flag in (0, 1, 0xA)
        row[tag] = read_value(cursor, kind) if flag == 0 else None if flag == 1 else Missing(cursor.get("I"))
    return row


def tagged(values):
    return b"".join(struct.pack("<I", tag) + value_bytes(tag, value) for tag, value in values.items())


# ---- Requests: the LogonId is 0 ----

def head(rop, *indexes):
    return bytes([rop, 0, *indexes])


def logon(dn, out=0, flags=1):
    text = dn.encode() + b"\0"
    return head(0xFE, out) + struct.pack("<BIIH", flags, 0x0100040C, 0, len(text)) + text


def release(handle):
    return head(0x01, handle)


def open_folder(folder, at=0, out=1):
    return head(0x02, at, out) + struct.pack("<QB", folder, 0)


def open_message(folder, message, at=0, out=1, mode=3):
    return head(0x03, at, out) + struct.pack("<HQBQ", 0xFFF, folder, mode, message)


def hierarchy_table(at=1, out=2, flags=0):
    return head(0x04, at, out) + bytes([flags])


def contents_table(at=1, out=2, flags=0):
    return head(0x05, at, out) + bytes([flags])


def create_message(folder, at=0, out=1):
    return head(0x06, at, out) + struct.pack("<HQB", 0xFFF, folder, 0)


def tag_list(tags):
    return struct.pack(f"<H{len(tags)}I", len(tags), *tags)


def get_properties(tags, at=1, limit=0):
    return head(0x07, at) + struct.pack("<HH", limit, 1) + tag_list(tags)


def get_all(at=1, limit=0, unicode=1):
    return head(0x08, at) + struct.pack("<HH", limit, unicode)


def set_properties(values, at=1):
    body = struct.pack("<H", len(values)) + tagged(values)
    return head(0x0A, at) + struct.pack("<H", len(body)) + body


def save(at=1, response=0, flags=0x0A):
    return head(0x0C, response, at) + bytes([flags])


def set_columns(tags, at=2):
    return head(0x12, at) + b"\0" + tag_list(tags)


def sort_table(keys, at=2, categories=0, expanded=0):
    return head(0x13, at) + struct.pack("<BHHH", 0, len(keys), categories, expanded) + b"".join(
        struct.pack("<IB", tag, order) for tag, order in keys)


def query_rows(count=50, at=2, flags=0, forward=1):
    return head(0x15, at) + struct.pack("<BBH", flags, forward, count)


def query_position(at=2):
    return head(0x17, at)


def seek_row(origin, count, at=2, want=1):
    return head(0x18, at) + struct.pack("<BiB", origin, count, want)


def get_receive_folder(message_class, at=0):
    return head(0x27, at) + message_class.encode() + b"\0"


def register_notification(types, at=0, out=1, folder=None):
    whole = folder is None
    return head(0x29, at, out) + struct.pack("<HB", types, whole) + (b"" if whole else struct.pack("<QQ", folder, 0))


def open_stream(tag, at=1, out=2, mode=0):
    return head(0x2B, at, out) + struct.pack("<IB", tag, mode)


def read_stream(count, at=2):
    return head(0x2C, at) + (struct.pack("<H", count) if count < 0xBABE else struct.pack("<HI", 0xBABE, count))


def write_stream(data, at=2):
    return head(0x2D, at) + struct.pack("<H", len(data)) + data


def commit_stream(at=2):
    return head(0x5D, at)


def long_term_id(identifier, at=0):
    return head(0x43, at) + struct.pack("<Q", identifier)


def id_of_long_term(data, at=0):
    return head(0x44, at) + data


def name_of(guid, name):
    if isinstance(name, int):
        return b"\0" + guid + struct.pack("<I", name)
    text = name.encode("utf-16-le") + b"\0\0"
    return b"\1" + guid + bytes([len(text)]) + text


def ids_from_names(names, create=True, at=0):
    return head(0x56, at) + struct.pack("<BH", 2 if create else 0, len(names)) + b"".join(
        name_of(*name) for name in names)


def names_from_ids(ids, at=0):
    return head(0x55, at) + struct.pack(f"<H{len(ids)}H", len(ids), *ids)


def modify_recipients(rows, at=1):
    """rows: (row id, type, RecipientRow bytes or None); without columns."""
    body = b"".join(struct.pack("<IBH", row, kind, len(data or b"")) + (data or b"") for row, kind, data in rows)
    return head(0x0E, at) + struct.pack("<HH", 0, len(rows)) + body


def smtp_recipient(address, name):
    return struct.pack("<H", 0x0200 | 0x08 | 0x10 | 3) + value_bytes(0x1F, address) + value_bytes(0x1F, name) + b"\0\0\0"


def x500_recipient(prefix, rest, name):
    return struct.pack("<HBB", 0x0200 | 0x10 | 1, prefix, 0) + rest.encode() + b"\0" + value_bytes(0x1F, name) + b"\0\0\0"


# ---- Responses ----

def read_typed(cursor):
    kind = cursor.get("B")
    assert kind <= 4
    return {0: lambda: None, 1: lambda: "", 2: cursor.str8, 3: cursor.str8, 4: cursor.str16}[kind]()


def read_recipient(cursor, columns):
    flags, row = cursor.get("H"), {}
    kind, text = flags & 7, cursor.str16 if flags & 0x200 else cursor.str8
    if kind == 1:
        row["prefix"], row["display_type"], row["dn"] = cursor.get("BB") + (cursor.str8(),)
    elif kind in (6, 7):
        row["entry"], row["key"] = cursor.take(cursor.get("H")), cursor.take(cursor.get("H"))
    elif kind == 0 and flags & 0x8000:
        row["type"] = cursor.str8()
    for bit, name in ((8, "email"), (0x10, "name"), (0x400, "simple"), (0x20, "transmittable")):
        if flags & bit:
            row[name] = text()
    count = cursor.get("H")
    assert count <= len(columns)
    row["columns"] = read_row(cursor, columns[:count])
    row["kind"] = kind
    return row


def read_message(cursor, out):
    out["named"], out["prefix"], out["subject"] = cursor.get("B"), read_typed(cursor), read_typed(cursor)
    out["count"], columns = cursor.get("HH")
    tags = [cursor.get("I") for _ in range(columns)]
    out["recipients"] = []
    for _ in range(cursor.get("B")):
        kind, code_page, reserved, size = cursor.get("BHHH")
        inner = Cursor(cursor.take(size))
        out["recipients"].append((kind, read_recipient(inner, tags)))
        inner.end()


def read_logon(cursor, out):
    out["flags"] = cursor.get("B")
    out["folders"] = list(cursor.get("13Q"))
    out["response_flags"] = cursor.get("B")
    out["mailbox"], out["replid"], out["replguid"] = cursor.take(16), cursor.get("H"), cursor.take(16)
    out["time"], out["gwart"], out["state"] = cursor.get("6BH"), cursor.get("Q"), cursor.get("I")


def read_table_event(cursor, out, columns):
    """The part of [MS-OXCNOTIF] 2.2.1.4.1.2 that begins with TableEventType."""
    out["event"] = cursor.get("H")
    form = "QQI" if out["flags"] & 0x8000 else "Q"
    if out["event"] in (3, 4, 5):
        out["row"] = cursor.get(form)
    if out["event"] in (3, 5):
        out["after"] = cursor.get(form)
        inner = Cursor(cursor.take(cursor.get("H")))
        out["values"] = read_row(inner, columns[out["handle"]])
        inner.end()


def read_notification(cursor, out, columns):
    """[MS-OXCNOTIF] 2.2.1.4.1.2. columns: by table's handle."""
    out["handle"], out["logon"], flags = cursor.get("IBH")
    if flags & 0xFFF == 0x100:
        out["flags"] = flags
        read_table_event(cursor, out, columns)
        return
    kind, message, out["flags"] = flags & 0xFFF, flags & 0x8000, flags
    assert kind in (2, 4, 8, 0x10, 0x20, 0x40, 0x80)
    out["folder"] = cursor.get("Q")
    out["message"] = cursor.get("Q") if message else None
    if kind in (4, 8, 0x20, 0x40) and bool(flags & 0x4000) == bool(message):
        out["parent"] = cursor.get("Q")
    if kind in (0x20, 0x40):
        cursor.get("QQ")
    if kind in (4, 0x10):
        count = cursor.get("H")
        out["tags"] = [cursor.get("I") for _ in range(0 if count == 0xFFFF else count)]
    out["total"] = cursor.get("I") if flags & 0x1000 else None
    out["unread"] = cursor.get("I") if flags & 0x2000 else None
    if kind == 2:
        out["message_flags"] = cursor.get("I")
        out["class"] = cursor.str16() if cursor.get("B") else cursor.str8()


def read_name(cursor):
    kind, guid = cursor.get("B"), cursor.take(16)
    if kind == 0xFF:
        return None
    return guid, cursor.get("I") if kind == 0 else cursor.take(cursor.get("B")).decode("utf-16-le").rstrip("\0")


def tags_of(request):
    at = {0x07: 7, 0x12: 4}[request[0]]
    count = struct.unpack_from("<H", request, at)[0]
    return list(struct.unpack_from(f"<{count}I", request, at + 2))


def read_response(cursor, request, columns):
    """One response to that request. columns: of the table that it is about."""
    rop, index, status = cursor.get("BBI")
    out = {"rop": rop, "index": index, "status": status}
    expected = 0x20 if request[0] == 0x1F else request[0]
    # RopProgress stands in for the answer of what is not done yet, and is answered by that: [MS-OXCFOLD] 3.1.5.2.
    assert rop == expected or 0x50 in (rop, expected), f"{rop:#x} answers {request[0]:#x}"
    if rop == 0x2C:
        out["data"] = cursor.take(cursor.get("H"))
    elif rop == 0xA3:
        out["written"] = cursor.get("I")
    elif rop in (0x2D, 0x90):
        out["written"] = cursor.get("H")
    elif rop == 0x3A:
        if status == 0x503:
            cursor.get("I")
        out["read"], out["written"] = cursor.get("QQ")
    elif rop in (0x39, 0x67) and status == 0x503:
        cursor.get("I")
    elif rop in (0x1D, 0x33, 0x35, 0x36, 0x58, 0x92, 0x1E, 0x91, 0x66):
        if status == 0x503:
            cursor.get("I")
        out["partial"] = cursor.get("B")
    elif status == 0:
        read_success(cursor, out, request, columns)
    return out


MORE = {}  # readers of the bodies of further ROPs: rops_more.py


def read_success(cursor, out, request, columns):
    rop = out["rop"]
    if rop == 0xFE:
        read_logon(cursor, out)
    elif rop == 0x50:
        _, out["done"], out["total"] = cursor.get("BII")
    elif rop == 0x02:
        out["rules"], ghosted = cursor.get("BB")
        assert not ghosted
    elif rop == 0x03:
        read_message(cursor, out)
    elif rop in (0x04, 0x05):
        out["rows"] = cursor.get("I")
    elif rop == 0x06:
        out["message"] = cursor.get("Q") if cursor.get("B") else None
    elif rop == 0x07:
        out["row"] = read_row(cursor, tags_of(request))
    elif rop == 0x08:
        out["row"] = {}
        for _ in range(cursor.get("H")):
            tag = cursor.get("I")
            out["row"][tag] = read_value(cursor, tag & 0xFFFF)
    elif rop == 0x0A:
        out["problems"] = [cursor.get("HII") for _ in range(cursor.get("H"))]
    elif rop == 0x0C:
        out["in"], out["message"] = cursor.get("BQ")
    elif rop in (0x12, 0x13):
        assert cursor.get("B") == 0
    elif rop == 0x15:
        out["origin"], count = cursor.get("BH")
        out["row_list"] = [read_row(cursor, columns) for _ in range(count)]
    elif rop == 0x17:
        out["position"], out["total"] = cursor.get("II")
    elif rop == 0x18:
        out["less"], out["moved"] = cursor.get("Bi")
    elif rop == 0x27:
        out["folder"], out["class"] = cursor.get("Q"), cursor.str8()
    elif rop == 0x2B:
        out["size"] = cursor.get("I")
    elif rop == 0x43:
        out["long"] = cursor.take(24)
    elif rop == 0x44:
        out["id"] = cursor.get("Q")
    elif rop == 0x55:
        out["names"] = [read_name(cursor) for _ in range(cursor.get("H"))]
    elif rop == 0x56:
        out["ids"] = [cursor.get("H") for _ in range(cursor.get("H"))]
    elif rop in MORE:
        MORE[rop](cursor, out, columns)
    else:
        assert rop in (0x0E, 0x29, 0x5D), f"a success of {rop:#x} was not expected"


# ---- The session ----

@contextlib.contextmanager
def joining(group):
    """Binds inside ask to join that association group, which impacket has no argument for."""
    class Bind(rpcrt.MSRPCBind):
        def __init__(self, data=None, alignment=0):
            super().__init__(data, alignment)
            if data is None:
                self["assoc_group"] = group
    plain, rpcrt.MSRPCBind = rpcrt.MSRPCBind, Bind
    try:
        yield
    finally:
        rpcrt.MSRPCBind = plain


def group_of(answer):
    return rpcrt.MSRPCBindAck(answer.getData())["assoc_group"]


def connect_stub(dn, flags=0, code_page=1252, version=(12, 0x8000 | 4518, 1014), aux=b"", aux_out=0x1008):
    text = dn.encode() + b"\0"
    stub = align(struct.pack("<3I", len(text), 0, len(text)) + text)
    stub += struct.pack("<7IH3H", flags, 0, 0, code_page, 0x409, 0x409, 0xFFFFFFFF, 1, *version)
    return align(stub) + struct.pack("<I", 0) + conformant(aux) + struct.pack("<II", len(aux), aux_out)


def read_connect(stub):
    cursor, out = Cursor(stub), {}
    out["handle"] = cursor.take(20)
    out["polls_max"], out["retries"], out["delay"], out["index"] = cursor.get("IIIH")
    out["dn_prefix"], out["name"] = cursor.string_pointer(), cursor.string_pointer()
    cursor.align(2)
    out["server"], out["best"] = cursor.get("3H"), cursor.get("3H")
    cursor.align()
    out["stamp"], out["aux"] = cursor.get("I"), cursor.varying()
    cursor.align()
    size, out["status"] = cursor.get("II")
    assert size == len(out["aux"])
    cursor.end()
    return out


def execute_stub(handle, data, flags=PLAIN, room=0x8007, aux=b"", aux_out=0x1008):
    return (handle + struct.pack("<I", flags) + conformant(data) + struct.pack("<II", len(data), room) +
            conformant(aux) + struct.pack("<II", len(aux), aux_out))


def read_execute(stub):
    cursor = Cursor(stub)
    handle, flags, data = cursor.take(20), cursor.get("I"), cursor.varying()
    cursor.align()
    size = cursor.get("I")
    aux = cursor.varying()
    cursor.align()
    aux_size, _, status = cursor.get("III")
    assert size == len(data) and aux_size == len(aux) and flags == 0
    cursor.end()
    return handle, status, data


class Store:
    """A session on a connection of its own."""

    def __init__(self, server, user="alice", level="privacy", dn=None, **options):
        self.server, self.user, self.level = server, user, level
        self.rpc = open_rpc(server.store, level, user)
        self.group = group_of(self.rpc.bind(EMSMDB))
        self.rpc.call(10, connect_stub(dn_of(user) if dn is None else dn, **options))
        self.connected = read_connect(self.rpc.recv())
        self.status, self.handle = self.connected["status"], self.connected["handle"]
        self.columns, self.news, self.table_news, self.last_flags, self.rest = {}, [], [], [], None

    def raw(self, data, **options):
        """EcDoRpcExt2 with those bytes as rgbIn: the status and rgbOut."""
        self.rpc.call(11, execute_stub(self.handle, data, **options))
        _, status, answer = read_execute(self.rpc.recv())
        return status, answer

    def run(self, rops, handles, xor=False, **options):
        """Executes the ROPs; yields the responses and the handles of the first payload."""
        status, data = self.raw(extended(rop_buffer(rops, handles), LAST | (XORED if xor else 0)), **options)
        assert status == 0, f"EcDoRpcExt2: {status:#x}"
        return self.read(data, rops, handles)

    def read(self, data, rops, handles):
        payloads = payloads_of(data)
        self.last_flags = [flags for _, flags in payloads]
        responses, table = self.read_payload(payloads[0][0], [r for r in rops if r[0] != 1], list(handles))
        for payload, _ in payloads[1:]:
            more, _ = self.read_payload(payload, [rops[-1]], table)
            assert len(more) == 1
            responses += more
        return responses, table

    def read_payload(self, payload, requests, handles):
        body, table = split_payload(payload)
        cursor, responses, self.rest = Cursor(body), [], None
        for request in requests:
            if cursor.at == len(body) or body[cursor.at] in (0x2A, 0xFF):
                break
            index = request[2]
            handle = table[index] if index < len(table) else NO_HANDLE
            response = read_response(cursor, request, self.columns.get(handle, []))
            if response["rop"] == 0x12 and response["status"] == 0:
                self.columns[handle] = tags_of(request)
            responses.append(response)
        while cursor.at < len(body):
            self.read_extra(cursor, len(responses), requests)
        assert self.rest is not None or len(responses) == len(requests)
        return responses, table

    def read_extra(self, cursor, done, requests):
        rop = cursor.get("B")
        if rop == 0x2A:
            news = {}
            read_notification(cursor, news, self.columns)
            (self.table_news if "event" in news else self.news).append(news)
            return
        assert rop == 0xFF, f"{rop:#x} was not asked for"
        self.needed, self.rest = cursor.get("H"), cursor.take(len(cursor.data) - cursor.at)

    def one(self, rop, handles):
        """One ROP that must succeed."""
        responses, table = self.run([rop], handles)
        assert responses[0]["status"] == 0, f"{rop[0]:#x}: {responses[0]['status']:#x}"
        return responses[0], table

    def log_on(self, dn=None):
        response, table = self.one(logon(dn_of(self.user) if dn is None else dn), [NO_HANDLE])
        self.folders, self.root = response["folders"], table[0]
        return response

    def save_message(self, folder, values):
        """A new message with those properties, saved: its id."""
        responses, _ = self.run([create_message(folder), set_properties(values), save()], [self.root, NO_HANDLE])
        assert [r["status"] for r in responses] == [0, 0, 0] and responses[1]["problems"] == []
        return responses[2]["message"]

    def rows(self, folder, tags, count=50, **options):
        responses, _ = self.run([open_folder(folder), contents_table(), set_columns(tags), query_rows(count)],
                                [self.root, NO_HANDLE, NO_HANDLE], **options)
        assert [r["status"] for r in responses] == [0] * len(responses)
        return [row for response in responses[3:] for row in response["row_list"]]

    def disconnect(self):
        self.rpc.call(1, self.handle)
        cursor = Cursor(self.rpc.recv())
        handle, status = cursor.take(20), cursor.get("I")
        cursor.end()
        return handle, status

    def close(self):
        self.rpc.disconnect()


class Waiter:
    """The second connection, where a wait is parked."""

    def __init__(self, store):
        self.rpc = open_rpc(store.server.store, store.level, store.user)
        with joining(store.group):
            assert group_of(self.rpc.bind(ASYNC)) == store.group
        store.rpc.call(14, store.handle)
        cursor = Cursor(store.rpc.recv())
        self.handle, status = cursor.take(20), cursor.get("I")
        assert status == 0

    def park(self):
        self.rpc.call(0, self.handle + struct.pack("<I", 0))

    def is_answered(self, seconds):
        socket = self.rpc.get_rpc_transport().get_socket()
        return bool(select.select([socket], [], [], seconds)[0])

    def answer(self):
        cursor = Cursor(self.rpc.recv())
        flags, status = cursor.get("II")
        cursor.end()
        return flags, status

    def give_up(self, kind):
        """A co_cancel or orphaned PDU for the parked call, unsigned: C706 12.6.4.2 and 12.6.4.8."""
        call_id = self.rpc._DCERPC_v5__callid - 1  # impacket keeps it to itself; it has gone on since
        self.rpc.get_rpc_transport().get_socket().sendall(
            struct.pack("<4BIHHI", 5, 0, kind, 3, 0x10, 16, 0, call_id))
