"""A client that gets its token by Authlib, as that library's documents show."""

import os

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from harness import report, sent, setting

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # the server of a test has no TLS
os.environ["NO_PROXY"] = "*"
base = setting("BASE_URL")

session = OAuth2Session(setting("KEY_ID"), sent("secret", setting("SECRET")))
try:
    session.fetch_token(f"{base}/auth/token", grant_type="client_credentials")
    answer = session.get(f"{base}/v2.0/site", timeout=30)
    report(answer.status_code, answer.text)
except OAuthError as error:
    report(0, f"{type(error).__name__}: {error}")
