#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks at the page in Chromium, through chromedriver (W3C WebDriver), and prints TAP.

usage: page.py DRIVER-PORT PAGE-URL PICTURE STOP-COMMAND
STOP-COMMAND stops the peer called desk.
"""
import base64
import json
import subprocess
import sys
import time
import urllib.request

DRIVER, URL, PICTURE, STOP = (
    f"http://127.0.0.1:{sys.argv[1]}", sys.argv[2], sys.argv[3], sys.argv[4])
count = failures = 0


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        DRIVER + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)["value"]


def check(name, ok, detail=""):
    global count, failures
    count += 1
    failures += not ok
    print(("ok" if ok else "not ok"), count, "-", name, flush=True)
    if not ok and detail:
        print("#", detail, flush=True)


def session(dark):
    args = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--window-size=1060,960"] + (["--force-dark-mode"] if dark else [])
    capabilities = {"browserName": "chrome", "goog:chromeOptions": {"args": args},
                    "goog:loggingPrefs": {"browser": "ALL"}}
    made = call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
    return "/session/" + made["sessionId"]


def main():
    s = session(False)
    script = lambda text: call("POST", s + "/execute/sync", {"script": text, "args": []})
    text = lambda css: script(
        f"const e = document.querySelector({json.dumps(css)}); return e ? e.innerText : ''")

    def await_text(css, part):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if part in text(css):
                return True
            time.sleep(0.1)
        return False

    try:
        call("POST", s + "/url", {"url": URL})
        check("the page goes live", await_text("#link", "live"), text("body"))
        check("the token is not in the address any more",
              "token" not in script("return location.href"))
        check("the name is there", text("#name") == "laptop", text("#name"))
        check("the space is there", await_text("#spaces", "sessions"), text("#spaces"))
        check("... with its keys", await_text("#spaces", "2,"), text("#spaces"))
        check("both peers are connected",
              await_text("#peers", "nas") and text("#peers").count("connected") == 2,
              text("#peers"))
        check("each device is drawn",
              script("return document.querySelectorAll('#map circle').length") == 3)
        check("nothing is wider than the window",
              script("return document.documentElement.scrollWidth <= innerWidth"))
        time.sleep(20)  # a little history for the picture; nothing is checked by it
        picture = call("GET", s + "/screenshot")
        with open(PICTURE, "wb") as f:
            f.write(base64.b64decode(picture))
        check("a picture is taken", len(picture) > 20000)
        subprocess.run(STOP, shell=True, check=True)
        check("who is gone is shown", await_text("#alerts", "desk is not reachable"),
              text("#alerts"))
        names = script("const r = []; for (const e of document.querySelectorAll('*'))"
                       " if (e.tagName == 'SCRIPT' && !e.src) r.push(e.outerHTML); return r")
        check("no script stands in the page itself", names == [])
        log = [e["message"] for e in call("POST", s + "/se/log", {"type": "browser"})
               if e["level"] == "SEVERE" and "favicon" not in e["message"]]
        check("the browser complains of nothing", log == [], str(log))
    finally:
        call("DELETE", s)
    print(f"1..{count}")
    return failures > 0


sys.exit(main())
