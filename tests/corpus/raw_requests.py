"""Raw requests and the verdict each must get.

A verdict is the statuses that come back, in order, then `open` or `closed`: what the connection is afterwards.
`{key}` is made unique for each case; a 201 is one ticket, and nothing else may have stored one.
"""
# A length that is no number libmicrohttpd refuses itself, before anyone is asked, and puts the head of its answer
# twice. The connection closes, so nobody can take the second for the answer to another request.
DOUBLED = "400 400 closed"
KEY = b"sk_test_first"
BODY = b'{"type":"tv","area":"28013","problem":"x"}'
AUTH = b"Host: a\r\nAuthorization: Bearer " + KEY + b"\r\nIdempotency-Key: {key}\r\nContent-Type: application/json\r\n"
POST = b"POST /v1/tickets HTTP/1.1\r\n" + AUTH
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
TICKET = POST + LENGTH + b"\r\n" + BODY
GET = b"GET /livez HTTP/1.1\r\n"
LIVE = GET + b"Host: a\r\n\r\n"
# Would be answered 200 by whoever takes trailing bytes for a request of its own.
SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: smuggled\r\n\r\n"


def get(line, host=b"Host: a\r\n"):
    return GET + host + line + b"\r\n"


def post(headers, body=BODY):
    return POST + headers + b"\r\n" + body + SMUGGLED


GOOD = [
    ("a get", LIVE, "200 open"),
    ("a head", b"HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\n", "200 open"),
    ("a ticket", TICKET, "201 open"),
    ("no blank after the colon", b"GET /livez HTTP/1.1\r\nHost:a\r\n\r\n", "200 open"),
    ("tabs after the colon", get(b"X:\t\tb\r\n"), "200 open"),
    ("an empty value", get(b"X:\r\n"), "200 open"),
    ("names in any case", b"GET /livez HTTP/1.1\r\nhOsT: a\r\n\r\n", "200 open"),
    ("host with a port", b"GET /livez HTTP/1.1\r\nHost: a:80\r\n\r\n", "200 open"),
    ("host is an IPv6 address", b"GET /livez HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "200 open"),
    ("bytes above ASCII in a value", get(b"X: \xc3\xa9\r\n"), "200 open"),
    ("a tab in a value", get(b"X: a\tb\r\n"), "200 open"),
    ("an empty line before the request", b"\r\n" + LIVE, "200 open"),
    ("length with leading zeros", POST + b"Content-Length: 0000%d\r\n\r\n" % len(BODY) + BODY, "201 open"),
    ("length zero on a get", get(b"Content-Length: 0\r\n"), "200 open"),
    ("close asked for", get(b"Connection: close\r\n"), "200 closed"),
    ("keep-alive asked for", get(b"Connection: keep-alive\r\n"), "200 open"),
    ("a query that nobody asked for", b"GET /livez?a=b&c HTTP/1.1\r\nHost: a\r\n\r\n", "200 open"),
    ("two headers of one name that may repeat", get(b"Accept: a/b\r\nAccept: */*\r\n"), "200 open"),
    ("a cookie", get(b"Cookie: a=b; c=d\r\n"), "200 open"),
    ("an upgrade that is not taken up", get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                                            b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n"), "200 open"),
    ("a websocket is not spoken", get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n"), "200 open"),
    ("fifty headers", get(b"".join(b"X-%d: y\r\n" % i for i in range(50))), "200 open"),
    ("expect 100-continue", POST + LENGTH + b"Expect: 100-continue\r\n\r\n" + BODY, "100 201 open"),
]

PIPELINED = [
    ("two gets", LIVE * 2, "200 200 open"),
    ("twenty gets", LIVE * 20, "200 " * 20 + "open"),
    ("a ticket and a get", TICKET + LIVE, "201 200 open"),
    ("a get and a ticket", LIVE + TICKET, "200 201 open"),
    ("the same ticket twice", TICKET * 2, "201 201 open"),
    ("a get, then close, then one more", LIVE + get(b"Connection: close\r\n") + LIVE, "200 200 closed"),
    ("a get, then a bad one, then one more", LIVE + GET + b"\r\n" + LIVE, "200 400 closed"),
    ("a ticket that is refused, then a get", POST + b"Content-Length: 2\r\n\r\n{}" + LIVE, "422 200 open"),
    ("half a request behind a whole one", LIVE + b"GET /liv", "200 open"),
    ("a body of a request between two", POST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED + LIVE,
     "400 200 open"),
    ("empty lines between", LIVE + b"\r\n\r\n" + LIVE, "200 200 open"),
    ("more bytes than the length says", TICKET + b"x" + LIVE, "201 405 open"),
    ("not found, then a get", b"GET /no HTTP/1.1\r\nHost: a\r\n\r\n" + LIVE, "404 200 open"),
    ("wrong method, then a get", b"DELETE /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" + LIVE,
     "405 200 open"),
    ("head, then a get", b"HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\n" + LIVE, "200 200 open"),
]

REQUEST_LINE = [
    ("HTTP/1.0", b"GET /livez HTTP/1.0\r\nHost: a\r\n\r\n" + SMUGGLED, "505 closed"),
    ("HTTP/1.2", b"GET /livez HTTP/1.2\r\nHost: a\r\n\r\n" + SMUGGLED, "505 closed"),
    ("HTTP/2.0", b"GET /livez HTTP/2.0\r\nHost: a\r\n\r\n" + SMUGGLED, "505 closed"),
    ("HTTP/0.9", b"GET /livez HTTP/0.9\r\nHost: a\r\n\r\n" + SMUGGLED, "505 closed"),
    ("HTTP/1.10", b"GET /livez HTTP/1.10\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("http/1.1 in small letters", b"GET /livez http/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("HTTP /1.1", b"GET /livez HTTP /1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("version of another protocol", b"GET /livez ICY/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("no version", b"GET /livez\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("no target", b"GET HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("only a method", b"GET\r\nHost: a\r\n\r\n" + SMUGGLED, "closed"),
    ("two blanks before the target", b"GET  /livez HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("two blanks after the target", b"GET /livez  HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("a blank at the end", b"GET /livez HTTP/1.1 \r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("a tab for a blank", b"GET\t/livez\tHTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "closed"),
    ("a blank in the target", b"GET /li vez HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("a blank before the method", b" GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "closed"),
    ("a method in small letters", b"get /livez HTTP/1.1\r\nHost: a\r\n\r\n", "405 open"),
    ("an unknown method", b"FETCH /livez HTTP/1.1\r\nHost: a\r\n\r\n", "405 open"),
    ("a method with a bracket", b"GE(T /livez HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("a method with a high byte", b"G\xc9T /livez HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("TRACE", b"TRACE /livez HTTP/1.1\r\nHost: a\r\n\r\n", "405 open"),
    ("CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("OPTIONS *", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("absolute target", b"GET http://a/livez HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("absolute target of another host", b"GET http://b/livez HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("a target without a slash", b"GET livez HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("two slashes", b"GET //livez HTTP/1.1\r\nHost: a\r\n\r\n", "404 open"),
    ("dots in the path", b"GET /x/../livez HTTP/1.1\r\nHost: a\r\n\r\n", "404 open"),
    ("an escaped letter", b"GET /live%7a HTTP/1.1\r\nHost: a\r\n\r\n", "404 open"),
    ("an escaped NUL in the path", b"GET /v1/tickets/a%00b HTTP/1.1\r\nHost: a\r\n\r\n", "404 open"),
    ("an escaped line end in the path", b"GET /livez%0d%0aX: HTTP/1.1\r\nHost: a\r\n\r\n", "404 open"),
    ("a wrong escape", b"GET /v1/tickets/%zz HTTP/1.1\r\nHost: a\r\n\r\n", "404 open"),
    ("a fragment", b"GET /livez#x HTTP/1.1\r\nHost: a\r\n\r\n", "404 open"),
    ("a high byte in the target", b"GET /liv\xe9z HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("a NUL in the target", b"GET /livez\x00/x HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("a NUL in the method", b"GE\x00T /livez HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("a NUL in the version", b"GET /livez HTTP/1.1\x00\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("a bare CR in the target", b"GET /liv\rez HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("a bare CR after the version", b"GET /livez HTTP/1.1\rHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("a long target", b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "414 closed"),
    ("a target larger than the buffer", b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "414 closed"),
    ("a query larger than the limit", b"GET /livez?" + b"a" * 1100 + b" HTTP/1.1\r\nHost: a\r\n\r\n" + SMUGGLED, "414 closed"),
    ("a hundred query members", b"GET /livez?" + b"&".join(b"a%d=b" % i for i in range(100)) +
     b" HTTP/1.1\r\nHost: a\r\n\r\n", "200 open"),
    ("a long method", b"G" * 3000 + b" /livez HTTP/1.1\r\nHost: a\r\n\r\n", "405 open"),
]

HOST = [
    ("no host", GET + b"\r\n" + SMUGGLED, "400 closed"),
    ("two hosts", GET + b"Host: a\r\nHost: b\r\n\r\n" + SMUGGLED, "400 closed"),
    ("two equal hosts", GET + b"Host: a\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("an empty host", GET + b"Host: \r\n\r\n" + SMUGGLED, "400 closed"),
    ("host with a slash", GET + b"Host: a/b\r\n\r\n" + SMUGGLED, "400 closed"),
    ("host with a user", GET + b"Host: u@a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("host with a blank", GET + b"Host: a b\r\n\r\n" + SMUGGLED, "400 closed"),
    ("host list", GET + b"Host: a, b\r\n\r\n" + SMUGGLED, "400 closed"),
    ("host with a high byte", GET + b"Host: \xe9\r\n\r\n" + SMUGGLED, "400 closed"),
    ("a very long host", GET + b"Host: " + b"a" * 300 + b"\r\n\r\n" + SMUGGLED, "400 closed"),
    ("host hidden behind a fold", GET + b"X: a\r\n Host: b\r\n\r\n" + SMUGGLED, "400 closed"),
    ("host with a NUL", GET + b"Host: a\x00b\r\n\r\n" + SMUGGLED, "400 closed"),
]

LINES = [
    ("a folded value", get(b"X: a\r\n b\r\n") + SMUGGLED, "400 closed"),
    ("a value folded with a tab", get(b"X: a\r\n\tb\r\n") + SMUGGLED, "400 closed"),
    ("a fold of nothing", get(b"X: a\r\n \r\n") + SMUGGLED, "400 closed"),
    ("a fold in the first header", GET + b" X: a\r\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("a folded length", post(b"Content-Length:\r\n %d\r\n" % len(BODY)), "400 closed"),
    ("a fold that hides a length", post(b"X: a\r\n Content-Length: 2\r\n" + LENGTH), "400 closed"),
    ("a fold that hides a transfer encoding", post(LENGTH + b"X: a\r\n Transfer-Encoding: chunked\r\n"), "400 closed"),
    ("bare LF for every line end", b"GET /livez HTTP/1.1\nHost: a\n\n" + SMUGGLED, "400 closed"),
    ("bare LF after the request line", b"GET /livez HTTP/1.1\nHost: a\r\n\r\n" + SMUGGLED, "400 closed"),
    ("bare LF after a header", GET + b"Host: a\nX: b\r\n\r\n" + SMUGGLED, "400 closed"),
    ("bare LF for the empty line", GET + b"Host: a\r\n\n" + SMUGGLED, "400 closed"),
    ("a header smuggled behind a bare LF", get(b"X: a\nTransfer-Encoding: chunked\r\n") + SMUGGLED, "400 closed"),
    ("a bare CR in a value", get(b"X: a\rb\r\n") + SMUGGLED, "400 closed"),
    ("a bare CR at the end of a value", get(b"X: a\r\r\n") + SMUGGLED, "400 closed"),
    ("a header smuggled behind a bare CR", get(b"X: a\rTransfer-Encoding: chunked\r\n") + SMUGGLED, "400 closed"),
    ("a bare CR in a name", get(b"X\rY: a\r\n") + SMUGGLED, "400 closed"),
    ("a bare CR for the empty line", GET + b"Host: a\r\n\r\r\n\r\n" + SMUGGLED, "400 closed"),
    ("a NUL in a value", get(b"X: a\x00b\r\n") + SMUGGLED, "400 closed"),
    ("a NUL at the end of a value", get(b"X: a\x00\r\n") + SMUGGLED, "400 closed"),
    ("two NULs for a line end", get(b"X: a\x00\x00Y: b\r\n") + SMUGGLED, "400 closed"),
    ("NULs that look like the library's", get(b"X: a\x00\x00Y\x00 b\r\n") + SMUGGLED, "400 closed"),
    ("a NUL in a name", get(b"X\x00Y: b\r\n") + SMUGGLED, "400 closed"),
    ("a NUL for a colon", get(b"X\x00 b\r\n") + SMUGGLED, "400 closed"),
    ("a line that begins with a NUL", get(b"\x00X: b\r\n") + SMUGGLED, "400 closed"),
    ("a NUL for the empty line", GET + b"Host: a\r\n\x00\r\n" + SMUGGLED, "400 closed"),
    ("a key cut by a NUL", b"POST /v1/tickets HTTP/1.1\r\n" + AUTH.replace(b"{key}", b"{key}\x00b") + LENGTH + b"\r\n" + BODY +
     SMUGGLED, "400 closed"),
    ("a length cut by a NUL", post(b"Content-Length: %d\x00 0\r\n" % len(BODY)), "400 closed"),
    ("a header without a colon", get(b"X\r\n") + SMUGGLED, "400 closed"),
    ("a header without a name", get(b": a\r\n") + SMUGGLED, "400 closed"),
    ("a blank before the colon", get(b"X : a\r\n") + SMUGGLED, "400 closed"),
    ("a tab before the colon", get(b"X\t: a\r\n") + SMUGGLED, "400 closed"),
    ("a blank in a name", get(b"X Y: a\r\n") + SMUGGLED, "400 closed"),
    ("a bracket in a name", get(b"X(: a\r\n") + SMUGGLED, "400 closed"),
    ("a high byte in a name", get(b"X\xe9: a\r\n") + SMUGGLED, "400 closed"),
    ("a control character in a name", get(b"X\x01: a\r\n") + SMUGGLED, "400 closed"),
    ("a control character in a value", get(b"X: a\x01b\r\n") + SMUGGLED, "400 closed"),
    ("an escape character in a value", get(b"X: \x1b[31m\r\n") + SMUGGLED, "400 closed"),
    ("a DEL in a value", get(b"X: a\x7fb\r\n") + SMUGGLED, "400 closed"),
    ("a header larger than the buffer", get(b"X: " + b"a" * 20000 + b"\r\n") + SMUGGLED, "431 closed"),
    ("a name larger than the buffer", get(b"X" * 20000 + b": a\r\n") + SMUGGLED, "431 closed"),
    ("headers larger than the buffer", get(b"".join(b"X-%d: %s\r\n" % (i, b"y" * 50) for i in range(300))) + SMUGGLED,
     "431 closed"),
    ("two content types", post(LENGTH + b"Content-Type: text/plain\r\n"), "400 closed"),
    ("two keys", post(LENGTH + b"Idempotency-Key: other\r\n"), "400 closed"),
    ("two authorizations", post(LENGTH + b"Authorization: Bearer x\r\n"), "400 closed"),
    ("two traceparents", post(LENGTH + b"traceparent: x\r\nTraceparent: y\r\n"), "400 closed"),
]

FRAMING = [
    ("chunked", post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"), "411 closed"),
    ("chunked in capitals", post(b"TRANSFER-ENCODING: CHUNKED\r\n", b"0\r\n\r\n"), "411 closed"),
    ("chunked, then a length", post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"), "411 closed"),
    ("a length, then chunked", post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), "411 closed"),
    ("a length of the whole rest, and chunked",
     post(b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % (5 + len(SMUGGLED)), b"0\r\n\r\n"), "411 closed"),
    ("chunked with a blank before the colon", post(LENGTH + b"Transfer-Encoding : chunked\r\n"), "400 closed"),
    ("chunked with a tab in its value", post(LENGTH + b"Transfer-Encoding:\tchunked\r\n"), "411 closed"),
    ("chunked with a control character", post(LENGTH + b"Transfer-Encoding: \x0bchunked\r\n"), "400 closed"),
    ("xchunked", post(LENGTH + b"Transfer-Encoding: xchunked\r\n"), "411 closed"),
    ("identity", post(LENGTH + b"Transfer-Encoding: identity\r\n"), "411 closed"),
    ("chunked twice", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), "411 closed"),
    ("chunked, gzip", post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n"), "411 closed"),
    ("chunked on a get", get(b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n" + SMUGGLED, "411 closed"),
    ("a trailer is no header", post(b"Transfer-Encoding: chunked\r\nTrailer: Host\r\n", b"0\r\nHost: b\r\n\r\n"), "411 closed"),
    ("two lengths", post(b"Content-Length: 2\r\nContent-Length: 40\r\n", b"{}"), "400 closed"),
    ("two equal lengths", post(LENGTH + LENGTH), "400 closed"),
    ("a length list", post(b"Content-Length: 2, 2\r\n", b"{}"), DOUBLED),
    ("a negative length", post(b"Content-Length: -2\r\n", b"{}"), DOUBLED),
    ("a length with a plus", post(b"Content-Length: +2\r\n", b"{}"), DOUBLED),
    ("a length in hexadecimal", post(b"Content-Length: 0x2\r\n", b"{}"), DOUBLED),
    ("a length with a fraction", post(b"Content-Length: 2.0\r\n", b"{}"), DOUBLED),
    ("a length with an exponent", post(b"Content-Length: 2e0\r\n", b"{}"), DOUBLED),
    ("a length in words", post(b"Content-Length: two\r\n", b"{}"), DOUBLED),
    ("an empty length", post(b"Content-Length: \r\n", b"{}"), DOUBLED),
    ("a length with a blank behind it", post(b"Content-Length: 2 \r\n", b"{}"), DOUBLED),
    ("a length with a blank inside", post(b"Content-Length: 1 2\r\n", b"{}"), DOUBLED),
    ("a length in Arabic digits", post("Content-Length: \u0662\r\n".encode(), b"{}"), DOUBLED),
    ("a length with a semicolon", post(b"Content-Length: 2;x\r\n", b"{}"), DOUBLED),
    ("a length with a blank before the colon", post(b"Content-Length : 2\r\n", b"{}"), "400 closed"),
    ("a length beyond 64 bits", post(b"Content-Length: 18446744073709551618\r\n", b"{}"), "413 413 closed"),
    ("a length of 2^63", post(b"Content-Length: 9223372036854775808\r\n", b"{}"), "400 closed"),
    ("a length of 13 digits", post(b"Content-Length: 1000000000000\r\n", b"{}"), "400 closed"),
    ("a length of 100 MB", post(b"Content-Length: 99999999\r\n", b"{}"), "413 closed"),
    ("no length", post(b""), "411 closed"),
    ("length zero", POST + b"Content-Length: 0\r\n\r\n" + LIVE, "400 200 open"),
    ("a body on a get", get(b"Content-Length: %d\r\n" % len(SMUGGLED)) + SMUGGLED, "400 closed"),
    ("a body on a head", b"HEAD /livez HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
     "400 closed"),
    ("a body of 65,537 bytes", POST + b"Content-Length: 65537\r\n\r\n" + b" " * 65537 + LIVE, "413 200 open"),
    ("a length shorter than the body", POST + b"Content-Length: 10\r\n\r\n" + BODY, "400 open"),
    ("an expectation nobody knows", POST + LENGTH + b"Expect: 200-ok\r\n\r\n" + BODY, "201 open"),
    ("a content encoding", POST + LENGTH + b"Content-Encoding: gzip\r\n\r\n" + BODY, "415 closed"),
]

OTHER_PROTOCOLS = [
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", "505 closed"),
    ("a TLS hello", bytes.fromhex("16030100a5010000a10303") + bytes(range(160)), "closed"),
    ("a TLS hello with a line end", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", "closed"),
    ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "closed"),
    ("SMTP", b"EHLO a\r\n\r\n", "400 closed"),
    ("PostgreSQL", bytes.fromhex("000000080004d21630") + b"\r\n\r\n", "open"),
    ("Redis", b"*1\r\n$4\r\nPING\r\n\r\n", "closed"),
    ("the PROXY protocol", b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + LIVE, "400 closed"),
    ("the PROXY protocol, version 2", b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12) + b"\r\n" + LIVE, "closed"),
    ("a shell's wish", b"() { :; }; echo\r\n\r\n", "400 closed"),
    ("an RTSP request", b"OPTIONS rtsp://a/ RTSP/1.0\r\nCSeq: 1\r\n\r\n", "400 closed"),
    ("only line ends", b"\r\n" * 200 + b"\n" * 200, "open"),
    ("only blanks", b" " * 500 + b"\r\n\r\n", "closed"),
    ("only NULs", b"\x00" * 500 + b"\r\n\r\n", "open"),
    ("only high bytes", b"\xff" * 500 + b"\r\n\r\n", "closed"),
    ("30,000 bytes without a line end", b"a" * 30000, "414 closed"),
    ("nothing at all", b"", "open"),
]

ALL = [(f"{group}: {name}", data, verdict) for group, cases in (
    ("good", GOOD), ("pipelined", PIPELINED), ("request line", REQUEST_LINE), ("host", HOST), ("lines", LINES),
    ("framing", FRAMING), ("other protocols", OTHER_PROTOCOLS)) for name, data, verdict in cases]
