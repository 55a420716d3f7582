"""Requests of the ROPs that clients rarely use, by hand from [MS-OXCROPS]."""
import struct

from rops import MORE, head
from rops_more import nothing


def long_id(guid, counter):
    return guid + counter.to_bytes(6, "big") + b"\0\0"


def per_user_ids(guid, at=0):
    return head(0x60, at) + guid


def per_user_guid(folder, at=0):
    return head(0x61, at) + folder


def read_per_user(folder, offset=0, size=0, at=0):
    return head(0x63, at) + folder + struct.pack("<BIH", 0, offset, size)


def write_per_user(folder, data, offset=0, finished=1, replica=b"", at=0):
    return head(0x64, at) + folder + struct.pack("<BIH", finished, offset, len(data)) + data + (replica if offset == 0 else b"")


def is_ghosted(folder, at=0):
    return head(0x45, at) + struct.pack("<Q", folder)


def new_mail(folder, message, message_class=b"IPM.Note", flags=0, at=0):
    return head(0x51, at) + struct.pack("<QQ", message, folder) + message_class + b"\0" + struct.pack("<I", flags)


def valid_attachments(at=0):
    return head(0x52, at)


def write_stream_extended(data, at=0):
    return head(0xA3, at) + struct.pack("<H", len(data)) + data


def read_ids(cursor, out, columns):
    del columns
    out["ids"] = [cursor.take(24) for _ in range(cursor.get("H"))]


def read_guid(cursor, out, columns):
    del columns
    out["guid"] = cursor.take(16)


def read_data(cursor, out, columns):
    del columns
    out["finished"] = cursor.get("B")
    out["data"] = cursor.take(cursor.get("H"))


def read_ghosted(cursor, out, columns):
    del columns
    out["ghosted"] = cursor.get("B")


def read_numbers(cursor, out, columns):
    del columns
    out["numbers"] = [cursor.get("I") for _ in range(cursor.get("H"))]


MORE.update({0x60: read_ids, 0x61: read_guid, 0x63: read_data, 0x64: nothing, 0x45: read_ghosted, 0x51: nothing,
             0x52: read_numbers})
