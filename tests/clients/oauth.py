"""OAuth libraries for Python: a token by client credentials, and a call with it."""

import json
import os

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # a server on the loopback interface

from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import BackendApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from harness import setting

token_url, client_id, secret = setting("TOKEN_URL"), setting("KEY_ID"), setting("SECRET")


def requests_oauthlib():
    session = OAuth2Session(client=BackendApplicationClient(client_id=client_id))
    session.trust_env = False
    session.fetch_token(token_url, auth=HTTPBasicAuth(client_id, secret), timeout=30)
    return session


def authlib():
    session = AuthlibSession(client_id, secret, token_endpoint_auth_method="client_secret_basic")
    session.trust_env = False
    session.fetch_token(token_url, grant_type="client_credentials", timeout=30)
    return session


try:
    answer = {"requests-oauthlib": requests_oauthlib, "authlib": authlib}[setting("LIBRARY")]().get(
        setting("BASE_URL"), timeout=30
    )
    print(json.dumps({"status": answer.status_code, "body": answer.text}))
except Exception as error:
    print(json.dumps({"status": 0, "body": f"{type(error).__name__}: {error}"}))
