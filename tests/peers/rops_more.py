"""Requests and responses of the ROPs beyond rops.py, by hand from [MS-OXCROPS] 2.2."""
import re
import struct

from conftest import SOURCE_ROOT
from rops import MORE, head


def served():
    """The RopIds in the server's own table."""
    table = (SOURCE_ROOT / "src" / "server" / "emsmdb" / "rop.c").read_text(encoding="utf-8")
    return {int(found, 16) for found in re.findall(r"^\s*\{0x([0-9A-F]{2}), ", table, re.M)}


def nothing(cursor, out, columns):
    del cursor, out, columns


# ---- Folders ----

def create_folder(name, at=0, out=1, kind=1, existing=0, comment=""):
    text = name.encode("utf-16-le") + b"\0\0" + comment.encode("utf-16-le") + b"\0\0"
    return head(0x1C, at, out) + bytes([kind, 1, existing, 0]) + text


def delete_folder(folder, flags=0, at=0):
    return head(0x1D, at) + struct.pack("<BQ", flags, folder)


def delete_messages(ids, at=0, hard=False):
    return head(0x91 if hard else 0x1E, at) + struct.pack(f"<BBH{len(ids)}Q", 0, 0, len(ids), *ids)


def empty_folder(associated=0, at=0, hard=False):
    return head(0x92 if hard else 0x58, at) + bytes([0, associated])


def move_copy_messages(ids, copy=0, at=0, to=1):
    return head(0x33, at, to) + struct.pack(f"<H{len(ids)}QBB", len(ids), *ids, 0, copy)


def move_folder(folder, name, at=0, to=1):
    return head(0x35, at, to) + struct.pack("<BBQ", 0, 1, folder) + name.encode("utf-16-le") + b"\0\0"


def copy_folder(folder, name, at=0, to=1, deep=1):
    return head(0x36, at, to) + struct.pack("<BBBQ", 0, deep, 1, folder) + name.encode("utf-16-le") + b"\0\0"


def read_create_folder(cursor, out, columns):
    out["folder"], existing = cursor.get("QB")
    assert existing == 0  # public folders only: [MS-OXCFOLD] 2.2.1.2.2


MORE[0x1C] = read_create_folder
