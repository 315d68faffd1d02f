"""Tests the client in fleet.py against `countersign mock`. COUNTERSIGN names the program if it is not on the path.

    python3 -m unittest test_fleet.py
"""

import json
import os
import subprocess
import unittest
import urllib.error

from fleet import Fleet


class FleetTest(unittest.TestCase):
    def mock(self, *faults):
        """Starts a mock, and ends it with the test."""
        words = [os.environ.get("COUNTERSIGN", "countersign"), "mock", "ayyeka", "-o", "json"]
        words += [word for fault in faults for word in ("--fault", fault)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return json.loads(process.stdout.readline())["items"][0]

    def fleet(self, *faults, secret=None):
        mock = self.mock(*faults)
        return Fleet(mock["base_url"], mock["key_id"], secret or mock["secret"])

    def test_sites_are_listed(self):
        self.assertEqual(len(self.fleet().sites()), 2)

    def test_samples_come_once(self):
        fleet = self.fleet()
        self.assertEqual(len(list(fleet.new_samples())), 384)
        self.assertEqual(list(fleet.new_samples()), [])

    def test_a_token_that_has_ended_is_renewed(self):
        fleet = self.fleet("expired,times=1,on=GET /stream")
        fleet.sites()
        self.assertEqual(len(fleet._get("/v2.0/stream")), 4)

    def test_a_wrong_secret_is_not_tried_twice(self):
        with self.assertRaises(urllib.error.HTTPError) as raised:
            self.fleet(secret="another").sites()
        raised.exception.close()
        self.assertEqual(raised.exception.code, 401)


if __name__ == "__main__":
    unittest.main()
