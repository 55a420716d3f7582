"""Requests and responses of the ROPs beyond rops.py, by hand from [MS-OXCROPS] 2.2."""
import re
import struct

from conftest import SOURCE_ROOT
from rops import (MORE, Cursor, head, read_message, read_name, read_recipient, read_row, tag_list, tagged)


def served():
    """The RopIds in the server's own table."""
    folder = SOURCE_ROOT / "src" / "server" / "emsmdb"
    named = dict(re.findall(r"^#define (ROP_\w+) (0x[0-9A-Fa-f]{2})", "".join(f.read_text(encoding="utf-8") for f in folder.glob("*.h")), re.M))
    table = (folder / "rop.c").read_text(encoding="utf-8")
    return {int(named.get(found, found), 16) for found in re.findall(r"^\s*\{(0x[0-9A-F]{2}|ROP_\w+), ", table, re.M)}


def nothing(cursor, out, columns):
    del cursor, out, columns


# ---- Logon ----

RECEIVE_COLUMNS = [0x67480014, 0x001A001E, 0x30080040]


def set_receive_folder(folder, message_class, at=0):
    return head(0x26, at) + struct.pack("<Q", folder) + message_class + b"\0"


def read_receive_table(cursor, out, columns):
    out["rows"] = [read_row(cursor, RECEIVE_COLUMNS) for _ in range(cursor.get("I"))]


def read_state(cursor, out, columns):
    out["state"] = cursor.get("I")


def read_address_types(cursor, out, columns):
    count, size = cursor.get("HH")
    inner = type(cursor)(cursor.take(size))
    out["types"] = [inner.str8() for _ in range(count)]
    inner.end()


MORE.update({0x26: nothing, 0x68: read_receive_table, 0x7B: read_state, 0x49: read_address_types})


# ---- Folders ----

def create_folder(name, at=0, out=1, kind=1, existing=0, comment=""):
    text = name.encode("utf-16-le") + b"\0\0" + comment.encode("utf-16-le") + b"\0\0"
    return head(0x1C, at, out) + bytes([kind, 1, existing, 0]) + text


def delete_folder(folder, flags=0, at=0):
    return head(0x1D, at) + struct.pack("<BQ", flags, folder)


def delete_messages(ids, at=0, hard=False, later=0):
    return head(0x91 if hard else 0x1E, at) + struct.pack(f"<BBH{len(ids)}Q", later, 0, len(ids), *ids)


def empty_folder(associated=0, at=0, hard=False, later=0):
    return head(0x92 if hard else 0x58, at) + bytes([later, associated])


def move_copy_messages(ids, copy=0, at=0, to=1, later=0):
    return head(0x33, at, to) + struct.pack(f"<H{len(ids)}QBB", len(ids), *ids, later, copy)


def progress(cancel=0, at=0):
    return head(0x50, at) + bytes([cancel])


def move_folder(folder, name, at=0, to=1):
    return head(0x35, at, to) + struct.pack("<BBQ", 0, 1, folder) + name.encode("utf-16-le") + b"\0\0"


def copy_folder(folder, name, at=0, to=1, deep=1):
    return head(0x36, at, to) + struct.pack("<BBBQ", 0, deep, 1, folder) + name.encode("utf-16-le") + b"\0\0"


def read_create_folder(cursor, out, columns):
    out["folder"], existing = cursor.get("QB")
    assert existing == 0  # public folders only: [MS-OXCFOLD] 2.2.1.2.2


MORE[0x1C] = read_create_folder


# ---- Restrictions, [MS-OXCDATA] 2.12 ----

def both(*parts):
    return b"\0" + struct.pack("<H", len(parts)) + b"".join(parts)


def either(*parts):
    return b"\1" + struct.pack("<H", len(parts)) + b"".join(parts)


def negated(part):
    return b"\2" + part


def content(tag, value, low=0, high=1):
    return b"\3" + struct.pack("<HHI", low, high, tag) + tagged({tag: value})


def compares(relop, tag, value):
    return b"\4" + struct.pack("<BI", relop, tag) + tagged({tag: value})


def compares_properties(relop, tag, other):
    return b"\5" + struct.pack("<BII", relop, tag, other)


def bitmask(relop, tag, mask):
    return b"\6" + struct.pack("<BII", relop, tag, mask)


def sized(relop, tag, size):
    return b"\7" + struct.pack("<BII", relop, tag, size)


def exists(tag):
    return b"\x08" + struct.pack("<I", tag)


def of_sub_object(tag, part):
    return b"\x09" + struct.pack("<I", tag) + part


def commented(values, part=None):
    return b"\x0a" + bytes([len(values)]) + tagged(values) + (b"\1" + part if part else b"\0")


def counted(limit, part):
    return b"\x0b" + struct.pack("<I", limit) + part


# ---- Tables ----

def restrict(data, at=0):
    return head(0x14, at) + struct.pack("<BH", 0, len(data)) + data


def find_row(data, at=0, backward=0, origin=0, bookmark=b""):
    return (head(0x4F, at) + struct.pack("<BH", backward, len(data)) + data + bytes([origin]) +
            struct.pack("<H", len(bookmark)) + bookmark)


def create_bookmark(at=0):
    return head(0x1B, at)


def free_bookmark(bookmark, at=0):
    return head(0x89, at) + struct.pack("<H", len(bookmark)) + bookmark


def seek_bookmark(bookmark, rows=0, at=0):
    return head(0x19, at) + struct.pack("<H", len(bookmark)) + bookmark + struct.pack("<iB", rows, 1)


def seek_fraction(numerator, denominator, at=0):
    return head(0x1A, at) + struct.pack("<II", numerator, denominator)


def read_table_status(cursor, out, columns):
    assert cursor.get("B") == 0


def read_find_row(cursor, out, columns):
    out["gone"], there = cursor.get("BB")
    out["row"] = read_row(cursor, columns) if there else None


def read_bookmark(cursor, out, columns):
    out["bookmark"] = cursor.take(cursor.get("H"))


def read_seek_bookmark(cursor, out, columns):
    out["gone"], out["less"], out["moved"] = cursor.get("BBi")


def read_tags(cursor, out, columns):
    out["tags"] = [cursor.get("I") for _ in range(cursor.get("H"))]


MORE.update({0x14: read_table_status, 0x16: read_table_status, 0x38: read_table_status, 0x4F: read_find_row,
             0x1B: read_bookmark, 0x19: read_seek_bookmark, 0x37: read_tags, 0x1A: nothing, 0x81: nothing, 0x89: nothing})


# ---- Messages ----

def read_recipients(row=0, at=0):
    return head(0x0F, at) + struct.pack("<IH", row, 0)


def remove_all_recipients(at=0):
    return head(0x0D, at) + bytes(4)


def reload(at=0):
    return head(0x10, at) + bytes(2)


def set_read_flags(flags, ids, at=0, later=0):
    return head(0x66, at) + struct.pack(f"<BBH{len(ids)}Q", later, flags, len(ids), *ids)


def set_message_read_flag(flags, at=1, response=0):
    return head(0x11, response, at) + bytes([flags])


def set_message_status(message, status, mask, at=0):
    return head(0x20, at) + struct.pack("<QII", message, status, mask)


def get_message_status(message, at=0):
    return head(0x1F, at) + struct.pack("<Q", message)


def read_recipient_rows(cursor, out, columns):
    out["rows"] = []
    for _ in range(cursor.get("B")):
        row, kind, _, _, size = cursor.get("IBHHH")
        inner = Cursor(cursor.take(size))
        out["rows"].append((row, kind, read_recipient(inner, [])))
        inner.end()


def read_reloaded(cursor, out, columns):
    read_message(cursor, out)


def read_status(cursor, out, columns):
    out["flags"] = cursor.get("I")


def read_changed(cursor, out, columns):
    assert cursor.get("B") == 0  # private mailboxes do not tell: [MS-OXCMSG] 2.2.3.11.2


# ---- Attachments ----

def attachment_table(at=0, out=1):
    return head(0x21, at, out) + bytes(1)


def open_attachment(number, at=0, out=1, mode=3):
    return head(0x22, at, out) + struct.pack("<BI", mode, number)


def create_attachment(at=0, out=1):
    return head(0x23, at, out)


def delete_attachment(number, at=0):
    return head(0x24, at) + struct.pack("<I", number)


def save_attachment(at=1, response=0):
    return head(0x25, response, at) + bytes([0x0A])


def open_embedded(at=0, out=1, mode=0):
    return head(0x46, at, out) + struct.pack("<HB", 0xFFF, mode)


def read_number(cursor, out, columns):
    out["number"] = cursor.get("I")


def read_embedded(cursor, out, columns):
    assert cursor.get("BQ") == (0, 0)
    read_message(cursor, out)


MORE.update({0x21: nothing, 0x22: nothing, 0x23: read_number, 0x24: nothing, 0x25: nothing, 0x46: read_embedded})


# ---- Properties ----

def delete_properties(tags, at=0, rop=0x0B):
    return head(rop, at) + tag_list(tags)


def get_list(at=0):
    return head(0x09, at)


def query_names(flags=0, guid=None, at=0):
    return head(0x5F, at) + bytes([flags, guid is not None]) + (guid or b"")


def copy_to(at=0, to=1, excluded=(), sub=1, flags=0):
    return head(0x39, at, to) + bytes([0, sub, flags]) + tag_list(list(excluded))


def copy_properties(tags, at=0, to=1, flags=0):
    return head(0x67, at, to) + bytes([0, flags]) + tag_list(tags)


def read_problems(cursor, out, columns):
    out["problems"] = [cursor.get("HII") for _ in range(cursor.get("H"))]


def read_names(cursor, out, columns):
    count = cursor.get("H")
    out["ids"] = [cursor.get("H") for _ in range(count)]
    out["names"] = [read_name(cursor) for _ in range(count)]


# ---- Streams ----

def seek_stream(origin, offset, at=0):
    return head(0x2E, at) + struct.pack("<Bq", origin, offset)


def set_stream_size(size, at=0):
    return head(0x2F, at) + struct.pack("<Q", size)


def get_stream_size(at=0):
    return head(0x5E, at)


def copy_to_stream(count, at=0, to=1):
    return head(0x3A, at, to) + struct.pack("<Q", count)


def clone_stream(at=0, out=1):
    return head(0x3B, at, out)


def write_and_commit(data, at=0):
    return head(0x90, at) + struct.pack("<H", len(data)) + data


def read_position(cursor, out, columns):
    out["position"] = cursor.get("Q")


def read_size(cursor, out, columns):
    out["size"] = cursor.get("I")


MORE.update({0x0D: nothing, 0x0F: read_recipient_rows, 0x10: read_reloaded, 0x11: read_changed, 0x20: read_status,
             0x0B: read_problems, 0x7A: read_problems, 0x79: read_problems, 0x39: read_problems, 0x67: read_problems,
             0x09: read_tags, 0x5F: read_names, 0x2E: read_position, 0x2F: nothing, 0x5E: read_size, 0x3B: nothing})


# ---- Search folders ----

def set_search_criteria(restriction, folders, flags=2, at=0):
    return head(0x30, at) + struct.pack("<H", len(restriction)) + restriction + struct.pack(
        f"<H{len(folders)}QI", len(folders), *folders, flags)


def get_search_criteria(unicode=1, restriction=1, folders=1, at=0):
    return head(0x31, at) + bytes([unicode, restriction, folders])


def read_criteria(cursor, out, columns):
    out["restriction"] = cursor.take(cursor.get("H"))
    out["logon"] = cursor.get("B")
    out["folders"] = [cursor.get("Q") for _ in range(cursor.get("H"))]
    out["flags"] = cursor.get("I")


MORE.update({0x30: nothing, 0x31: read_criteria})


# ---- Categories ----

def expand_row(category, count=0, at=0):
    return head(0x59, at) + struct.pack("<HQ", count, category)


def collapse_row(category, at=0):
    return head(0x5A, at) + struct.pack("<Q", category)


def get_collapse_state(row, instance=0, at=0):
    return head(0x6B, at) + struct.pack("<QI", row, instance)


def set_collapse_state(state, at=0):
    return head(0x6C, at) + struct.pack("<H", len(state)) + state


def read_expanded(cursor, out, columns):
    out["expanded"], count = cursor.get("IH")
    out["row_list"] = [read_row(cursor, columns) for _ in range(count)]


def read_collapsed(cursor, out, columns):
    out["collapsed"] = cursor.get("I")


def read_blob(cursor, out, columns):
    out["data"] = cursor.take(cursor.get("H"))


MORE.update({0x59: read_expanded, 0x5A: read_collapsed, 0x6B: read_blob, 0x6C: read_blob})


# ---- Transport ----

def read_transport_send(cursor, out, columns):
    out["none"] = cursor.get("B")
    assert out["none"]


def read_folder_id(cursor, out, columns):
    out["folder"] = cursor.get("Q")


def read_options(cursor, out, columns):
    cursor.get("B")
    out["options"] = cursor.take(cursor.get("H"))
    out["help"] = cursor.take(cursor.get("H"))
    out["file"] = cursor.str8() if out["help"] else b""


MORE.update({0x32: nothing, 0x34: nothing, 0x47: nothing, 0x48: nothing, 0x4A: read_transport_send, 0x6D: read_folder_id,
             0x6F: read_options})
