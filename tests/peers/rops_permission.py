"""Requests of the ROPs of [MS-OXCPERM], by hand from [MS-OXCROPS] 2.2.10."""
import struct

from peer import dn_of
from rops import MORE, head, query_rows, set_columns, tagged
from rops_more import nothing

MEMBER_ID, MEMBER_NAME, MEMBER_RIGHTS, ENTRY_ID = 0x66710014, 0x6672001F, 0x66730003, 0x0FFF0102
ACCESS, ACCESS_LEVEL, RIGHTS = 0x0FF40003, 0x0FF70003, 0x66390003
# PidTagMemberRights, 2.2.7
READ, CREATE, EDIT_OWN, DELETE_OWN, EDIT, DELETE = 1, 2, 8, 0x10, 0x20, 0x40
CREATE_FOLDER, OWN, CONTACT, SEE, FREE_BUSY, FREE_BUSY_DETAILS = 0x80, 0x100, 0x200, 0x400, 0x800, 0x1000
# Roles, [MS-OXODLGT] 3.1.4.3.2
REVIEWER, AUTHOR, EDITOR = SEE | 0x1, SEE | 0x1B, SEE | 0x7B
ADD, MODIFY, REMOVE = 1, 2, 4
DEFAULT, ANONYMOUS = 0, -1
EMSAB = bytes.fromhex("dca740c8c042101ab4b908002b2fe182")


def entry_id(user):
    """PermanentEntryID, [MS-OXCDATA] 2.2.5.2."""
    return struct.pack("<I", 0) + EMSAB + struct.pack("<II", 1, 0) + dn_of(user).encode() + b"\0"


def add(user, rights):
    return ADD, {ENTRY_ID: entry_id(user), MEMBER_RIGHTS: rights}


def modify(member, rights):
    return MODIFY, {MEMBER_ID: member, MEMBER_RIGHTS: rights}


def remove(member):
    return REMOVE, {MEMBER_ID: member}


def permissions_table(at=0, out=1, flags=0):
    return head(0x3E, at, out) + bytes([flags])


def modify_permissions(rows, at=0, flags=0):
    body = b"".join(struct.pack("<BH", kind, len(values)) + tagged(values) for kind, values in rows)
    return head(0x40, at) + struct.pack("<BH", flags, len(rows)) + body


MORE.update({0x3E: nothing, 0x40: nothing})


def permissions(store, folder, flags=0):
    """What the list says: {name: (member, rights, entry id)}."""
    columns = [MEMBER_ID, MEMBER_NAME, MEMBER_RIGHTS, ENTRY_ID]
    responses, _ = store.run([permissions_table(flags=flags), set_columns(columns, at=1), query_rows(at=1)],
                             [folder, 0xFFFFFFFF])
    assert [r["status"] for r in responses] == [0, 0, 0]
    for row in responses[2]["row_list"]:
        row[MEMBER_ID] -= (row[MEMBER_ID] >> 63) << 64  # signed
    return {row[MEMBER_NAME]: (row[MEMBER_ID], row[MEMBER_RIGHTS], row[ENTRY_ID]) for row in responses[2]["row_list"]}
