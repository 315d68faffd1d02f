"""A client that gets its token by requests-oauthlib, as that library's documents show."""

import os

from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from harness import report, sent, setting

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # the server of a test has no TLS
os.environ["NO_PROXY"] = "*"
base, key_id, secret = setting("BASE_URL"), setting("KEY_ID"), sent("secret", setting("SECRET"))

session = OAuth2Session(client=BackendApplicationClient(client_id=key_id))
try:
    session.fetch_token(f"{base}/auth/token", auth=HTTPBasicAuth(key_id, secret))
    answer = session.get(f"{base}/v2.0/site", timeout=30)
    report(answer.status_code, answer.text)
except (OAuth2Error, ValueError) as error:
    report(0, f"{type(error).__name__}: {error}")
