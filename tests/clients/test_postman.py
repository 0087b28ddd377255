"""The Postman collection of the documentation, run request by request, in its order."""

import base64
import json
import pathlib
import re
import urllib.parse
import urllib.request

import pytest
from support.access import SECOND_MINIMUM, GatewayWithAccounts, GuardedCdf, acl
from support.binary import PROJECT

pytestmark = pytest.mark.gateway_only

COLLECTION = pathlib.Path(__file__).resolve().parents[2] / "docs" / "postman.json"
KEEPS = re.compile(r"collectionVariables\.set\('(\w+)', pm\.response\.json\(\)([\w.\[\]]*)\)")


class Runner:
    """As much of Postman as the collection uses: variables, sign-in, bodies, what is kept."""

    def __init__(self, variables):
        self.variables = variables

    def fill(self, text: str) -> str:
        while "{{" in text:
            text = re.sub(r"\{\{(\w+)\}\}", lambda match: str(self.variables[match[1]]), text)
        return text

    def run(self, item) -> dict:
        request = item["request"]
        headers = {header["key"]: header["value"] for header in request["header"]}
        auth = request.get("auth")
        if auth and auth["type"] == "basic":
            pair = {part["key"]: self.fill(part["value"]) for part in auth["basic"]}
            basic = base64.b64encode(f"{pair['username']}:{pair['password']}".encode())
            headers["Authorization"] = f"Basic {basic.decode()}"
        else:
            headers["Authorization"] = self.fill("Bearer {{token}}")
        data = None
        match request.get("body"):
            case {"mode": "raw", "raw": text}:
                data = self.fill(text).encode()
            case {"mode": "urlencoded", "urlencoded": fields}:
                data = urllib.parse.urlencode({f["key"]: self.fill(f["value"]) for f in fields}).encode()
        call = urllib.request.Request(
            self.fill(request["url"]["raw"]), data=data, headers=headers, method=request["method"]
        )
        with urllib.request.urlopen(call, timeout=30) as answer:
            assert answer.status == 200, item["name"]
            body = json.loads(answer.read())
        for line in item["event"][0]["script"]["exec"]:
            for name, path in KEEPS.findall(line):
                value = body
                for step in re.findall(r"\w+", path):
                    value = value[int(step)] if step.isdigit() else value[step]
                self.variables[name] = value
        return body


def requests(items):
    for item in items:
        if "item" in item:
            yield from requests(item["item"])
        else:
            yield item


def test_every_request_of_the_collection_succeeds_in_its_order(tmp_path):
    collection = json.loads(COLLECTION.read_text())
    assert collection["auth"]["type"] == "oauth2"
    cdf = GuardedCdf(tmp_path)
    gateway = GatewayWithAccounts(tmp_path, cdf)
    application = cdf.register("postman")
    cdf.link(application, *SECOND_MINIMUM, acl("raw", "READ", "WRITE", "LIST"))
    variables = {variable["key"]: variable["value"] for variable in collection["variable"]}
    variables |= {
        "tokenUrl": cdf.token_url,
        "clientId": application.client_id,
        "clientSecret": application.client_secret,
        "cdf": cdf.url,
        "project": PROJECT,
        "gateway": gateway.api,
    }
    runner = Runner(variables)
    answers = {item["name"]: runner.run(item) for item in requests(collection["item"])}
    assert answers["List tables"] is not None
    assert len(answers) >= 15
    gateway.process.stop()
    cdf.process.stop()
