"""What the Python clients have in common: settings from the environment, tampering, and the one line they print."""

import json
import os
import re

import requests

_tamper = os.environ.get("TAMPER", "")


def setting(name):
    """A setting that must be there."""
    value = os.environ.get(name)
    if not value:
        raise SystemExit(f"{name} is not set")
    return value


def sent(part, text):
    """The part of a signed request as it will be sent: with one byte changed if TAMPER names it."""
    global _tamper
    if _tamper != part:
        return text
    _tamper = ""
    changed = re.sub(r"[A-Za-z0-9](?=[^A-Za-z0-9]*\Z)", lambda last: "4" if last[0] == "0" else "0", text)
    if changed == text:
        raise SystemExit(f"nothing to change in {text!r}")
    return changed


def report(status, body):
    """Prints the answer as one line of JSON."""
    if _tamper:
        raise SystemExit(f"this client has no {_tamper} to tamper with")
    print(json.dumps({"status": status, "body": body}))


def post(url, headers, body):
    """Sends a request and prints the answer as one line of JSON."""
    session = requests.Session()
    session.trust_env = False  # no proxy for a server on the loopback interface
    answer = session.post(url, headers=headers, data=body.encode(), timeout=30)
    report(answer.status_code, answer.text)
