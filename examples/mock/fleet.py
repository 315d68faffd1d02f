"""A small client of Ayyeka: asks for a token, and for another when it has ended."""

import base64
import json
import urllib.error
import urllib.request


class Fleet:
    def __init__(self, base_url, key, secret):
        self._base_url, self._key, self._secret = base_url, key, secret
        self._token = None
        # No proxy for a mock on the loopback interface.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def sites(self):
        return [site["display_name"] for site in self._get("/v2.0/site")]

    def new_samples(self):
        """All samples that were not acknowledged yet, batch after batch."""
        while True:
            batch = self._get("/v2.0/sample/batch?enableAck=True")
            yield from batch["samples"]
            if batch["samples"]:
                self._ask("POST", f"/v2.0/sample/batch/ack?sampleId={batch['samples'][-1]['id']}")
            if not batch["hasMore"]:
                return

    def _get(self, target):
        return json.loads(self._ask("GET", target))

    def _ask(self, method, target):
        fresh = self._token is None
        if fresh:
            self._renew()
        try:
            return self._send(method, target, f"Bearer {self._token}")
        except urllib.error.HTTPError as error:
            with error:
                if error.code != 401 or fresh:
                    raise
        self._renew()
        return self._send(method, target, f"Bearer {self._token}")

    def _renew(self):
        credentials = base64.b64encode(f"{self._key}:{self._secret}".encode()).decode()
        answer = self._send("POST", "/auth/token", f"Basic {credentials}", b"grant_type=client_credentials")
        self._token = json.loads(answer)["access_token"]

    def _send(self, method, target, authorization, body=None):
        headers = {"Authorization": authorization}
        request = urllib.request.Request(self._base_url + target, method=method, data=body, headers=headers)
        with self._opener.open(request, timeout=30) as answer:
            return answer.read()
