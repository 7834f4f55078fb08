"""The document of the HTTP interface and squad-intake agree: schemathesis over every operation, every example posted."""
import http.client
import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from urllib.parse import urlencode

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from client import ticket  # noqa: E402
from intake_alone import KEY, alone, client, intake, parts  # noqa: E402,F401
from stack import HERE  # noqa: E402

SCHEMATHESIS = HERE / "build" / "venv" / "bin" / "schemathesis"
DOCUMENT = json.loads((HERE / "src" / "intake" / "web" / "openapi.json").read_text())
METHODS = ("get", "post", "patch", "put", "delete")


def operations():
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method], item.get("parameters", [])


def resolve(o):
    while "$ref" in o:
        at = DOCUMENT
        for name in o["$ref"].split("/")[1:]:
            at = at[name]
        o = at
    return o


def send(intake, method, path, headers, body=None):
    c = http.client.HTTPConnection("127.0.0.1", intake.port, timeout=10)
    c.request(method, path, body, headers)
    reply = c.getresponse()
    out = reply.status, reply.headers, reply.read().decode()
    c.close()
    return out


@pytest.fixture
def form(intake):
    with intake.db() as db:
        db.execute("INSERT INTO squad.client (name, key_hash, scopes) VALUES ('website', sha256('unused'), '{form}') "
                   "ON CONFLICT DO NOTHING")
    return intake


def test_the_document_is_served_as_it_stands(intake):
    status, headers, text = send(intake, "GET", "/openapi.json", {})
    assert status == 200 and headers["Content-Type"] == "application/json" and json.loads(text) == DOCUMENT
    assert DOCUMENT["openapi"].startswith("3.1")
    status, headers, page = send(intake, "GET", "/docs", {"Accept": "text/html"})
    assert status == 200 and "<script" not in page and not re.search(r'(src|href)="(https?:)?//', page)
    for _, _, op, _ in operations():
        assert f'id="{op["operationId"]}"' in page


def encoded(type_, value):
    if type_.endswith("json"):
        return json.dumps(value), type_
    if "urlencoded" in type_:
        return urlencode(value), type_
    parts_ = "".join(f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in value.items())
    return parts_ + "--b--\r\n", type_ + "; boundary=b"


EXAMPLES = [(path, method, op, shared, type_, name, resolve(example)["value"])
            for path, method, op, shared in operations()
            for type_, media in op.get("requestBody", {}).get("content", {}).items()
            for name, example in media.get("examples", {}).items()]


def test_every_json_body_of_a_client_has_an_example():
    with_example = {(e[0], e[1]) for e in EXAMPLES}
    # A single example needs an offer or an expert to be taken: tests/e2e/test_offers.py posts the like.
    with_example |= {(path, method) for path, method, op, _ in operations()
                     for media in op.get("requestBody", {}).get("content", {}).values() if "example" in media}
    for path, method, op, _ in operations():
        assert "requestBody" not in op or "x-scope" not in op or (path, method) in with_example, (method, path)


@pytest.mark.parametrize("path,method,op,shared,type_,name,value", EXAMPLES, ids=[f"{e[2]['operationId']}-{e[4]}-{e[5]}" for e in EXAMPLES])
def test_every_documented_example_is_taken(intake, client, path, method, op, shared, type_, name, value):
    _, _, made = client.post(ticket(1))
    headers = {"Authorization": f"Bearer {KEY}"}
    for p in map(resolve, shared + op.get("parameters", [])):
        example = {"ref": made["ref"], "Idempotency-Key": str(uuid.uuid4())}.get(p["name"], p.get("example"))
        if p["in"] == "path":
            path = path.replace("{%s}" % p["name"], example)
        elif p["in"] == "header" and p.get("required"):
            headers[p["name"]] = example
    body, headers["Content-Type"] = encoded(type_, value)
    status, _, text = send(intake, method.upper(), path, headers, body)
    assert 200 <= status < 300 and str(status) in op["responses"], text


# Left out are the checks that presume what squad does not: that unknown headers and all that JSON Schema can not say is refused.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"


@pytest.mark.parametrize("phase", ["examples,coverage", "fuzzing,stateful"])
def test_schemathesis_finds_no_difference(form, client, phase, tmp_path):
    assert SCHEMATHESIS.exists(), "schemathesis is missing: make deps"
    _, _, made = client.post(ticket(1))
    (tmp_path / "schemathesis.toml").write_text(f'[parameters]\nref = "{made["ref"]}"\nform = "website"\n')
    done = subprocess.run(
        [SCHEMATHESIS, "run", HERE / "src/intake/web/openapi.json", "--url", f"http://127.0.0.1:{form.port}", "--phases", phase, "--checks", CHECKS,
         "--header", f"Authorization: Bearer {KEY}", "--max-examples", os.environ.get("SQUAD_EXAMPLES", "15"), "--seed", "4711",
         "--request-timeout", "10", "--generation-database", ":memory:", "--suppress-health-check", "all", "--max-failures", "20"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=540)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    print(done.stdout[-1500:])
    assert int(re.search(r"Tested: (\d+)", done.stdout)[1]) == len(list(operations())), done.stdout[-1500:]
    assert form.ready() == 200
