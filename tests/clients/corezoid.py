"""A client for Corezoid's API, written from its page on the API; sends no content type."""

import hashlib
import time

from harness import post, sent, setting

body, secret = setting("BODY"), setting("SECRET")
now = str(int(time.time()))
signature = hashlib.sha1((now + secret + body + secret).encode()).hexdigest()

url = "/".join([sent("url", setting("BASE_URL")), setting("KEY_ID"), sent("time", now), sent("signature", signature)])
post(url, {}, sent("body", body))
