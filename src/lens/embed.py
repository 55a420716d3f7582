#!/usr/bin/env python3
"""Turns text files into a C file of string constants.

usage: embed.py OUT.c NAME=FILE ..."""
import sys

ESCAPES = {ord("\\"): "\\\\", ord('"'): '\\"', ord("\n"): "\\n", ord("\t"): "\\t", ord("?"): "\\?"}


def c_string(data):
    lines = []
    for line in data.splitlines(keepends=True):
        text = "".join(ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in line)
        lines.append(f'\t"{text}"')
    return "\n".join(lines) or '\t""'


def main():
    with open(sys.argv[1], "w", encoding="ascii") as out:
        for pair in sys.argv[2:]:
            name, path = pair.split("=", 1)
            with open(path, "rb") as file:
                out.write(f"extern const char {name}[];\nconst char {name}[] =\n{c_string(file.read())};\n")


main()
