"""Clients in Python that sign wrongly, each in a way that the language makes easy.

Prints one line a request: the causes that explain it, the scheme, and the request as it travels, in base64.
"""

import base64
import hashlib
import hmac
import json
from os import environ

SECRET, NOW = environ["SECRET"], environ["NOW"]
HOST = "api.example.test"


def show(causes, scheme, target, headers, body):
    lines = [f"POST {target} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    request = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
    print(json.dumps({"causes": causes, "scheme": scheme, "request": base64.b64encode(request).decode()}))


def ateliere(causes, write, secret=SECRET.encode(), body='[{"query":"{ titles(name: \\"Крепость\\") { id } }"}]'):
    payload = {"url": f"{HOST}/graphql", "body": body, "organization_slug": environ["SLUG"]}
    signature = hmac.new(secret, write(payload), hashlib.sha256).hexdigest()
    headers = {"oz-key-id": environ["ATELIERE"], "oz-signature": signature, "X-Organization-Slug": environ["SLUG"]}
    show(causes, "ateliere", "/graphql", headers, body.encode())


def compact(value, **options):
    return json.dumps(value, separators=(",", ":"), **options).encode()


ateliere("json_python", lambda payload: json.dumps(payload).encode())
ateliere("json_spaces", lambda payload: json.dumps(payload, ensure_ascii=False).encode())
ateliere("json_python_sorted", lambda payload: json.dumps(payload, sort_keys=True).encode())
ateliere("json_ascii", compact)
ateliere("secret_base64_decoded", lambda payload: compact(payload, ensure_ascii=False), base64.b64decode(SECRET))


def salescloud(causes, value, write):
    sent = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    names = [environ[name] for name in ("SALESCLOUD", "PUBLIC_KEY", "ORGANIZATION")]
    text = ":".join(names).encode() + b":" + write(value)
    signature = base64.b64encode(hmac.new(SECRET.encode(), text, hashlib.sha256).digest()).decode()
    headers = dict(zip(["SalesCloud-Application", "SalesCloud-Application-Public-Key", "SalesCloud-Organization"], names))
    show(causes, "salescloud", "/", {**headers, "Authorization": f"App {signature}"}, sent)


value = {"query": "mutation { é }", "a": [1, 2.5]}
salescloud("body_python", value, lambda value: json.dumps(value).encode())
salescloud("body_python_unicode", value, lambda value: json.dumps(value, ensure_ascii=False).encode())
salescloud("body_python_sorted", value, lambda value: json.dumps(value, sort_keys=True).encode())
salescloud("body_ascii", value, compact)
salescloud("body_sorted", value, lambda value: compact(value, sort_keys=True, ensure_ascii=False))
salescloud("body_pretty_4", value, lambda value: json.dumps(value, indent=4, ensure_ascii=False).encode())
salescloud("body_utf16", value, lambda value: compact(value, ensure_ascii=False).decode().encode("utf-16-le"))
salescloud("body_question_marks", value, lambda value: compact(value, ensure_ascii=False).decode().encode("ascii", "replace"))
salescloud("body_bom_added", value, lambda value: compact(value, ensure_ascii=False).decode().encode("utf-8-sig"))
salescloud("body_empty", value, lambda value: b"")


def corezoid(causes, text, body='{"ops":[]}', digest=hashlib.sha1):
    signature = digest(text(body).encode()).hexdigest()
    show(causes, "corezoid", f"/api/2/json/{environ['COREZOID']}/{NOW}/{signature}", {}, body.encode())


corezoid("time_fraction", lambda body: f"{float(NOW)}{SECRET}{body}{SECRET}")
corezoid("time_zone", lambda body: f"{int(NOW) + 7200}{SECRET}{body}{SECRET}")
corezoid("login_signed", lambda body: f"{environ['COREZOID']}{NOW}{SECRET}{body}{SECRET}")
corezoid("body_python", lambda body: f"{NOW}{SECRET}{json.dumps(json.loads(body))}{SECRET}")
