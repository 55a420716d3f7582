"""tools/habits must fail on each breach, and only there."""
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(name, text):
    with tempfile.TemporaryDirectory() as tree:
        path = pathlib.Path(tree) / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        done = subprocess.run([ROOT / "tools/habits", tree], capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines()


class Habits(unittest.TestCase):
    def breach(self, name, text, line, part):
        code, lines = run(name, text)
        self.assertEqual((code, len(lines)), (1, 1), lines)
        self.assertTrue(lines[0].startswith(f"{name}:{line}: "), lines)
        self.assertIn(part, lines[0])

    def test_breaches(self):
        self.breach("src/base/a.c", "int x;\n// TO" "DO: more\n", 2, "unfinished")
        self.breach("tools/a", "# FIX" "ME\n", 1, "unfinished")
        self.breach("src/a.c", "\tstrcpy(a, b);\n", 1, "strcpy is banned")
        self.breach("fuzz/a.c", "x = atoi (b);\n", 1, "atoi is banned")
        self.breach("src/a.c", "\n" * 1001, 1, "1001 lines")

    def test_allowed(self):
        for text in ("\n" * 1000, "/* no strcpy( here */\n", "my_strcpy(a);\nx->rand(1);\nx.rand(1);\n", "snprintf(a);\n"):
            self.assertEqual(run("src/a.c", text), (0, []))
        self.assertEqual(run("tests/a.c", "atoi(a);\n"), (0, []))
        self.assertEqual(run("wire/a.idl", "\n" * 1001), (0, []))


if __name__ == "__main__":
    unittest.main()
