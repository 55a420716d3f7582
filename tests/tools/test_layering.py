"""tools/layering must fail on each kind of forbidden include, and only there."""
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

MESON = """project('x', 'c')
# The house.
modules = [
  ['base', [], []], # a comment
  ['ndr', ['base'], []],
  ['wire', ['ndr'], []],
  ['rpc', ['ndr', 'wire'], []],
  ['capture', ['base'], ['pcap']],
  ['server', ['rpc'], ['uv']],
  ['client', ['rpc'], []],
  ['lens', ['rpc', 'capture'], []],
  ['cli', ['server', 'client', 'lens'], []],
]
more = ['x']
"""


def run(files, meson=MESON):
    """The tool's exit code and lines on a tree of these files."""
    with tempfile.TemporaryDirectory() as tree:
        root = pathlib.Path(tree)
        for name, text in {"meson.build": meson, "src/base/empty.h": "", **files}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([ROOT / "tools/layering", root], capture_output=True, text=True)
        return done.returncode, (done.stdout + done.stderr).splitlines()


class Layering(unittest.TestCase):
    def allowed(self, files):
        self.assertEqual(run(files), (0, []))

    def forbidden(self, files, *wanted, meson=MESON):
        code, lines = run(files, meson)
        self.assertEqual(code, 1)
        self.assertEqual(len(lines), len(wanted), lines)
        for line, part in zip(lines, wanted):
            self.assertIn(part, line)

    def test_allowed(self):
        self.allowed({"src/ndr/a.c": '#include "ndr/a.h"\n#include "base/b.h"\n#include <stdio.h>\n#include <sys/uio.h>\n'})
        self.allowed({"src/server/a.c": '#include "base/b.h"\n#include "wire/epm.h"\n'})
        self.allowed({"src/cli/a.c": '#include "lens/a.h"\n#include "server/a.h"\n#include "base/x.h"\n'})
        self.allowed({"src/client/a.c": '#include "mapiwire.h"\n'})
        self.allowed({"src/base/a.c": '// an #include "server/a.h" in a comment\n'})

    def test_upwards(self):
        self.forbidden({"src/base/a.c": '\n  #  include "ndr/a.h"\n'}, "src/base/a.c:2: #include \"ndr/a.h\"")
        self.forbidden({"src/ndr/a.h": '#include "rpc/a.h"\n'}, "ndr must not know rpc")
        self.forbidden({"src/ndr/sub/a.h": '#include "wire/a.h"\n'}, "ndr must not know wire")
        self.forbidden({"wire/a.c": '#include "rpc/a.h"\n'}, "wire must not know rpc")

    def test_aside(self):
        self.forbidden({"src/capture/a.c": '#include "ndr/a.h"\n'}, "capture must not know ndr")

    def test_tops_do_not_know_each_other(self):
        for a in ("server", "client", "lens"):
            others = [b for b in ("client", "lens", "server") if b != a]
            text = "".join(f'#include "{b}/x.h"\n' for b in others)
            self.forbidden({f"src/{a}/a.c": text}, *(f"{a} must not know {b}" for b in others))

    def test_an_arrow_between_tops_fails_too(self):
        meson = MESON.replace("['client', ['rpc']", "['client', ['rpc', 'server']")
        self.forbidden({}, "client reaches server", meson=meson)

    def test_ways_round(self):
        self.forbidden({"src/base/a.c": "#include <rpc/a.h>\n"}, "base must not know rpc")
        self.forbidden({"src/base/a.c": '#include "../rpc/a.h"\n'}, "folder/file.h")
        self.forbidden({"src/rpc/a.c": '#include "base/../server/a.h"\n'}, "folder/file.h")
        self.forbidden({"src/base/a.c": '#include "b.h"\n'}, "folder/file.h")
        self.forbidden({"src/base/a.c": '#include "else/b.h"\n'}, "names no module")
        self.forbidden({"src/new/a.c": ""}, "src/new is not in the modules list")

    def test_list_out_of_order_or_missing(self):
        self.forbidden({}, "not listed before", meson="modules = [\n  ['rpc', ['ndr'], []],\n]\n")
        self.forbidden({}, "no list", meson="project('x')\n")

    def test_the_real_list_is_read(self):
        meson = (ROOT / "meson.build").read_text()
        self.forbidden({"src/base/a.c": '#include "cli/a.h"\n'}, "base must not know cli", meson=meson)


if __name__ == "__main__":
    unittest.main()
