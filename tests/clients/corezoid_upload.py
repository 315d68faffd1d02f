"""A client that uploads a scheme to Corezoid, with requests; signs the reduced form of the body as the vendor's Go client
describes it, in a regular expression."""

import hashlib
import re
import time

import requests

from harness import report, sent, setting


def reduced(body):
    body = re.sub(rb"-+[0-9A-Za-z_]+-*\r\n", b"", body).replace(b"\r\n\r\n", b"\r\n").strip()
    chunks = body.split(b"\r\n")
    return b"".join(chunk + b"\r\n" if chunk.startswith(b"Content-") else chunk for chunk in chunks)


files = {"scheme": ("scheme.json", setting("BODY").encode(), "application/octet-stream")}
form = requests.Request("POST", "http://localhost", files=files, data={"type": "create", "folder_id": "289791"}).prepare()
secret, now = setting("SECRET").encode(), str(int(time.time()))
signature = hashlib.sha1(now.encode() + secret + reduced(form.body) + secret).hexdigest()
url = "/".join([setting("BASE_URL"), setting("KEY_ID"), sent("time", now), sent("signature", signature)])
end = form.body.rindex(b"\r\n--")
body = sent("body", form.body[:end].decode()).encode() + form.body[end:]

session = requests.Session()
session.trust_env = False  # no proxy for a server on the loopback interface
answer = session.post(url, headers={"Content-Type": form.headers["Content-Type"]}, data=body, timeout=30)
report(answer.status_code, answer.text)
