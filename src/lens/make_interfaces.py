#!/usr/bin/env python3
"""Turns share/interfaces.tsv into a sorted C table without pointers (src/lens/interfaces.h).

usage: make_interfaces.py INTERFACES.TSV OUT.C"""
import struct
import sys
import uuid


class Pool:
    """All names in one text, each once."""

    def __init__(self):
        self.text = bytearray(b"\0")
        self.at = {"": 0}

    def add(self, name):
        if name not in self.at:
            self.at[name] = len(self.text)
            self.text += name.encode() + b"\0"
        return self.at[name]


def rows(path):
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.startswith("#") or not line.strip():
                continue
            fields = line.rstrip("\n").split("\t")
            if len(fields) != 4:
                sys.exit(f"{path}:{number}: {len(fields)} columns instead of 4")
            for version in fields[1].split() or ["0.0"]:
                major, minor = version.split(".")
                yield uuid.UUID(fields[0]).bytes_le, int(major), int(minor), fields[2], fields[3].split(",")


def c_string(data):
    out = []
    for start in range(0, len(data), 80):
        chunk = data[start:start + 80]
        out.append('"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in chunk) + '"')
    return "\n".join(out)


def main():
    pool = Pool()
    interfaces, methods = [], []
    # The order of memcmp on struct guid, which the lookup uses.
    for key, major, minor, name, names in sorted(rows(sys.argv[1])):
        words = ",".join(f"0x{w:08x}" for w in struct.unpack("<4I", key))
        interfaces.append(f"{{{{{words}}},{major},{minor},{pool.add(name)},{len(methods)},{len(names)}}},")
        methods += [str(pool.add(n)) for n in names]
    with open(sys.argv[2], "w", encoding="ascii") as out:
        out.write('#include "lens/interfaces.h"\n\n')
        out.write(f"const unsigned lens_known_count = {len(interfaces)};\n")
        out.write("const struct lens_known lens_known[] = {\n" + "\n".join(interfaces) + "\n};\n")
        out.write("const uint32_t lens_known_methods[] = {" + ",\n".join(
            ",".join(methods[i:i + 16]) for i in range(0, len(methods), 16)) + "};\n")
        out.write("const char lens_known_text[] =\n" + c_string(pool.text) + ";\n")


main()
