"""The package `corezoid`, which Corezoid's documents link: makes a task in the process CONV_ID, and modifies it.

BASE_URL is the server's here, since the package appends the path itself. It signs and sends a time with a fraction.
"""

import json
import os
import sys

from harness import report, sent, setting

sys.path.pop(0)  # where `corezoid.py` stands, another client
from corezoid import Corezoid  # noqa: E402

os.environ["no_proxy"] = "*"  # no proxy for a server on the loopback interface
client = Corezoid(setting("KEY_ID"), sent("secret", setting("SECRET")), setting("CONV_ID"))
client._host = setting("BASE_URL")
made = json.loads(client.create_task("sdk-1", {"name": "Тест 😀"}))
changed = json.loads(client.modify_task("sdk-1", {"paid": True}))
report(max(made["status_code"], changed["status_code"]), made["response"] + changed["response"])
