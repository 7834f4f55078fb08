"""Writes the corpora of requests and documents, and some forms, as seeds: seeds.py DIRECTORY"""
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "corpus"))
import json_documents  # noqa: E402
import raw_requests  # noqa: E402

FORMS = [b"", b"type=tv&area=28013&problem=No+picture", b"a=%C3%A9&b=%00", b"a&b=&=c&a", b"a=%", b"a=%4", b"%41=1&A=2"]
PART = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
PARTS = [b"multipart/form-data; boundary=b\n" + body for body in (
    PART % (b"type", b"tv") + PART % (b"problem", b"a\r\n--c\r\nb") + b"--b--\r\n",
    PART % (b'a\\"b', b"") + b"--b--", b"--b--\r\n", b"preamble\r\n" + PART % (b"a", b"b") + b"--b--\r\nepilogue",
    b'--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n')]
PARTS += [b'multipart/form-data; charset=utf-8; boundary="a b"\n--a b--\r\n', b"multipart/form-data\n--b--"]


def seeds():
    for _, data, _ in raw_requests.ALL:
        yield b"h" + data
    for _, data, _ in json_documents.ALL:
        yield b"j" + data
    for text in json_documents.NAUGHTY:
        yield b"j" + json_documents.raw("problem", text.encode())
    for data in FORMS:
        yield b"f" + data
    for data in PARTS:
        yield b"m" + data


if __name__ == "__main__":
    where = Path(sys.argv[1])
    where.mkdir(parents=True, exist_ok=True)
    for seed in seeds():
        if len(seed) <= 4096:
            (where / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
