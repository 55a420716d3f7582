"""A page in headless Chromium, driven as a person does: keys, and what a screen reader is told (DevTools protocol over a pipe)."""
import json
import os
import subprocess
import time


class Browser:
    def __init__(self, chromium, page, profile):
        take, theirs_out = os.pipe()
        theirs_in, give = os.pipe()
        command = ('exec 3<&$0 4>&$1; shift; exec "$@"', str(theirs_in), str(theirs_out))
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", *command, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,800",
             "--disable-background-networking", f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"],
            pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.give, self.take = os.fdopen(give, "wb", buffering=0), os.fdopen(take, "rb")
        self.number, self.session, self.rest = 0, None, b""
        target = next(t for t in self.send("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        self.send("Page.navigate", url=f"file://{page}")
        self.until("location.protocol == 'file:' && document.readyState == 'complete'")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.give.close()
        self.take.close()

    def message(self):
        while b"\0" not in self.rest:
            more = os.read(self.take.fileno(), 1 << 20)
            assert more, "the browser has gone"
            self.rest += more
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def send(self, method, **params):
        self.number += 1
        ask = {"id": self.number, "method": method, "params": params}
        if self.session:
            ask["sessionId"] = self.session
        self.give.write(json.dumps(ask).encode() + b"\0")
        while (answer := self.message()).get("id") != self.number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def eval(self, script):
        result = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, script):
        for _ in range(400):
            if self.eval(script):
                return
            time.sleep(0.05)
        raise AssertionError("never true: " + script)

    def key(self, name, code=0, modifiers=0):
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, modifiers=modifiers)

    def type(self, text):
        for letter in text:
            self.send("Input.dispatchKeyEvent", type="keyDown", key=letter, text=letter)
            self.send("Input.dispatchKeyEvent", type="keyUp", key=letter)

    def active(self):
        """The row that the focused list names as its active one, as a node of the accessibility tree; and that list."""
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        properties = [{p["name"]: p["value"] for p in n.get("properties", [])} for n in nodes]
        at = next(i for i, p in enumerate(properties) if "activedescendant" in p and p["focused"]["value"])
        row = properties[at]["activedescendant"]["relatedNodes"][0]["backendDOMNodeId"]
        return next(n for n in nodes if n.get("backendDOMNodeId") == row), nodes[at]
