"""PyJWT: signs CLAIMS with PRIVATE_KEY, or verifies TOKEN with PUBLIC_KEY and prints its claims."""

import json
import os

import jwt

from harness import setting

algorithm = setting("ALG")
if "TOKEN" in os.environ:
    options = {"verify_exp": False, "verify_iat": False, "verify_aud": False, "require": ["aud", "exp", "iat", "iss", "sub"]}
    print(json.dumps(jwt.decode(setting("TOKEN"), setting("PUBLIC_KEY"), algorithms=[algorithm], options=options)))
else:
    print(jwt.encode(json.loads(setting("CLAIMS")), setting("PRIVATE_KEY"), algorithm=algorithm))
