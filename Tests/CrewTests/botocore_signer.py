"""Signs random S3 requests with botocore, and prints what it did: python3 botocore_signer.py > botocore_signatures.json"""

import datetime
import hashlib
import json
import random
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from urllib.parse import quote

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
dice = random.Random(2026)
letters = "abcXYZ019-._~ /+=&%:@$,;!*'()äß日🎭"
cases = []
for number in range(60):
    key = "/bucket/" + "".join(dice.choice(letters) for _ in range(dice.randint(1, 40))).strip("/")
    endpoint = dice.choice(["http://127.0.0.1:9000", "http://s3.eu-west-1.amazonaws.com"])
    body = dice.randbytes(dice.randint(0, 200))
    token = dice.choice([None, "session/token+="])
    when = datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=dice.randint(0, 10**7))
    request = AWSRequest(method="PUT", url=endpoint + quote(key, safe="/~"), data=body)
    request.headers["Content-Type"] = "application/json"
    signer = botocore.auth.S3SigV4Auth(Credentials("AKIAIOSFODNN7EXAMPLE", SECRET, token), "s3", "us-east-1")
    digest = hashlib.sha256(body).hexdigest()
    # Plain HTTP lets botocore leave the body unsigned; ours always signs it.
    with mock.patch("botocore.auth.get_current_datetime", lambda: when), \
            mock.patch.object(signer, "payload", lambda request: digest):
        signer.add_auth(request)
    cases.append({
        "path": key, "endpoint": endpoint, "date": request.context["timestamp"], "token": token, "digest": digest,
        "authorization": request.headers["Authorization"],
    })
print(json.dumps(cases, indent=1))
