"""A client for SalesCloud's app scheme, written from its page on authentication."""

import base64
import hashlib
import hmac
import json
import os

from harness import post, sent, setting

application, public_key = setting("KEY_ID"), setting("PUBLIC_KEY")
organization = os.environ.get("ORGANIZATION", "")
body = os.environ.get("BODY") or json.dumps({"query": setting("QUERY")}, ensure_ascii=False)

text = ":".join([application, public_key, organization, body])
signature = base64.b64encode(hmac.new(setting("SECRET").encode(), text.encode(), hashlib.sha256).digest()).decode()

headers = {
    "Content-Type": "application/json",
    "SalesCloud-Application": application,
    "SalesCloud-Application-Public-Key": public_key,
    "Authorization": "App " + sent("signature", signature),
}
if organization:
    headers["SalesCloud-Organization"] = sent("organization", organization)
post(sent("url", setting("BASE_URL")), headers, sent("body", body))
