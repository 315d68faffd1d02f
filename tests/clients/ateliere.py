"""A client for Ateliere Connect, written from its page on API authentication; its JSON is Python's, not JavaScript's."""

import hashlib
import hmac
import json
import os
import re

from harness import post, sent, setting

url, slug = setting("BASE_URL"), setting("ORGANIZATION")
operation = {"query": setting("QUERY")}
if os.environ.get("VARIABLES"):
    operation["variables"] = json.loads(os.environ["VARIABLES"])
body = json.dumps([operation])

payload = {"url": re.sub(r"^https?://", "", url), "body": body, "organization_slug": slug}
payload = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
signature = hmac.new(setting("SECRET").encode(), payload.encode(), hashlib.sha256).hexdigest()

headers = {
    "Content-Type": "application/json",
    "X-Organization-Slug": sent("organization", slug),
    "oz-key-id": setting("KEY_ID"),
    "oz-signature": sent("signature", signature),
}
post(sent("url", url), headers, sent("body", body))
