"""JSON bodies and the verdict each must get: `201`, or the status and the pointers of the errors ("" is `-`)."""
T = b'{"type":"tv","area":"28013","problem":"x"}'


def body(**change):
    """A right ticket with members written as JSON text; None leaves one out."""
    members = {"type": '"tv"', "area": '"28013"', "problem": '"x"'} | change
    return ("{" + ",".join(f'"{k}":{v}' for k, v in members.items() if v is not None) + "}").encode()


def customer(text):
    return body(customer=text)


def raw(member, data):
    """A right ticket whose member is these bytes between quotes."""
    return body(**{member: '"@"'}).replace(b'"@"', b'"' + data + b'"')


GRAMMAR = [
    ("plain", T, "201"),
    ("blanks, tabs and lines around", b" \t\r\n" + T.replace(b",", b" ,\n\t") + b"\r\n ", "201"),
    ("members in another order", b'{"problem":"x","area":"28013","type":"tv"}', "201"),
    ("escapes in a member's name", T.replace(b'"type"', b'"\\u0074ype"'), "201"),
    ("a name twice, once escaped", T[:-1] + b',"\\u0074ype":"tv"}', "400 -"),
    ("every simple escape", raw("problem", rb'a\"\\\/\n\r\tb'), "201"),
    ("an escaped slash", raw("problem", rb'\/'), "201"),
    ("a surrogate pair", raw("problem", rb'\ud83d\udd27'), "201"),
    ("a surrogate pair in capitals", raw("problem", rb'\uD83D\uDD27'), "201"),
    ("U+FFFF", raw("problem", rb'\uffff'), "201"),
    ("the last code point", raw("problem", rb'\udbff\udfff'), "201"),
    ("nothing", b"", "400 -"),
    ("blanks only", b"  \n", "400 -"),
    ("a NUL only", b"\x00", "400 -"),
    ("an opening brace", b"{", "400 -"),
    ("a closing brace", b"}", "400 -"),
    ("an unclosed object", T[:-1], "400 /problem"),
    ("two closing braces", T + b"}", "400 -"),
    ("two objects", T + T, "400 -"),
    ("an object and a comma", T + b",", "400 -"),
    ("an object and a word", T + b" x", "400 -"),
    ("an object and a NUL", T + b"\x00", "400 -"),
    ("a NUL in front", b"\x00" + T, "400 -"),
    ("a byte order mark in front", b"\xef\xbb\xbf" + T, "400 -"),
    ("UTF-16", T.decode().encode("utf-16"), "400 -"),
    ("UTF-16 without a mark", T.decode().encode("utf-16-le"), "400 -"),
    ("UTF-32", T.decode().encode("utf-32"), "400 -"),
    ("form feed as a blank", b"\x0c" + T, "400 -"),
    ("vertical tab as a blank", b"\x0b" + T, "400 -"),
    ("no-break space as a blank", b"\xc2\xa0" + T, "400 -"),
    ("U+2028 as a blank", b"\xe2\x80\xa8" + T, "400 -"),
    ("a comma at the end", T[:-1] + b",}", "400 -"),
    ("a comma in front", T.replace(b"{", b"{,"), "400 -"),
    ("two commas", T.replace(b",", b",,", 1), "400 -"),
    ("no comma", T.replace(b",", b" ", 1), "400 /type"),
    ("no colon", T.replace(b":", b" ", 1), "400 -"),
    ("two colons", T.replace(b":", b"::", 1), "400 /type"),
    ("equals for a colon", T.replace(b":", b"=", 1), "400 -"),
    ("semicolon for a comma", T.replace(b",", b";", 1), "400 /type"),
    ("apostrophes", T.replace(b'"', b"'"), "400 -"),
    ("names without quotes", b"{type:1}", "400 -"),
    ("a number for a name", b"{1:1}", "400 -"),
    ("null for a name", b"{null:1}", "400 -"),
    ("a name alone", b'{"type"}', "400 -"),
    ("a name and a colon", b'{"type":}', "400 -"),
    ("a comment", b"/* x */" + T, "400 -"),
    ("a line comment", T + b"// x", "400 -"),
    ("a hash comment", T + b"# x", "400 -"),
    ("an array", b"[]", "422 -"),
    ("an array with a ticket", b"[" + T + b"]", "422 -"),
    ("an empty object", b"{}", "422 /type /problem /area"),
    ("a string", b'"tv"', "400 -"),
    ("a number", b"7", "400 -"),
    ("true", b"true", "400 -"),
    ("null", b"null", "400 -"),
    ("NaN", b"NaN", "400 -"),
    ("XML", b"<ticket/>", "400 -"),
    ("YAML", b"type: tv\narea: 28013\n", "400 -"),
    ("a form", b"type=tv&area=28013&problem=x", "400 -"),
    ("BSON", b"\x16\x00\x00\x00\x02type\x00\x03\x00\x00\x00tv\x00\x00", "400 -"),
    ("two lines of JSON", T + b"\n" + T, "400 -"),
    ("a record separator in front", b"\x1e" + T, "400 -"),
    ("a member twice", T[:-1] + b',"type":"internet"}', "400 -"),
    ("a member twice with one value", T[:-1] + b',"type":"tv"}', "400 -"),
    ("an unknown member twice", T[:-1] + b',"a":1,"a":1}', "400 -"),
    ("a customer's member twice", customer('{"name":"a","name":"b"}'), "400 -"),
    ("a proto member", body(__proto__='{"admin":true}'), "422 /__proto__"),
    ("an empty name", b'{"":1,' + T[1:], "422 /"),
    ("a NUL in a name", T[:-1] + rb',"a\u0000b":1}', "400 -"),
    ("a raw NUL in a name", T[:-1] + b',"a\x00b":1}', "400 -"),
    ("a lone surrogate in a name", T[:-1] + rb',"\ud800":1}', "400 -"),
]
LITERALS = [(f"problem is {text}", body(problem=text), "400 /problem") for text in (
    "tru", "True", "TRUE", "nul", "NULL", "undefined", "Infinity", "-Infinity", "NaN", "x", "'x'", "`x`", "01", "-01", "1.",
    ".5", "-.5", "1e", "1e+", "+1", "--1", "0x10", "1_000", "1.2.3", "-", "$", "\\u0022x\\u0022", "\\x", "\u00e9",
    "\u201cx\u201d")]
NUMBERS = [(f"problem is the number {text}", body(problem=text), "422 /problem") for text in (
    "0", "-0", "1", "-1", "1.5", "1e3", "1E+3", "1e-3", "0.1", "9007199254740993", "9223372036854775807",
    "-9223372036854775808")]
NUMBERS += [(f"problem is the number {text}", body(problem=text), "400 /problem") for text in (
    "9223372036854775808", "1e400", "-1e400", "1" * 400)]
TYPES = [(f"{member} is {text}", body(**{member: text}), f"422 /{member}")
         for member in ("type", "area", "problem", "source", "contract")
         for text in ("7", "true", "[]", "{}", '["tv"]', '{"a":"b"}', '""', '" "', '"a\\u0001"')]
MISSING = [(f"{member} is {how}", body(**{member: text}), f"422 /{member}")
           for member in ("type", "area", "problem") for how, text in (("missing", None), ("null", "null"))]
NULLS = [(f"{member} is null", body(**{member: "null"}), "201") for member in ("source", "contract", "customer")]
LENGTHS = []
for member, most in (("type", 64), ("problem", 4000), ("source", 32), ("contract", 64)):
    for what, letter in (("letters", "a"), ("accents", "\u00e9"), ("emoji", "\U0001f527")):
        LENGTHS += [(f"{member} of {most} {what}", body(**{member: f'"{letter * most}"'}), "201"),
                    (f"{member} of {most + 1} {what}", body(**{member: f'"{letter * (most + 1)}"'}), f"422 /{member}")]
LENGTHS += [
    ("area of 16", body(area='"1234567890123456"'), "201"),
    ("area of 17", body(area='"12345678901234567"'), "422 /area"),
    ("area with blanks around", body(area='"   28013  "'), "201"),
    ("area in small letters", body(area='"sw1a 1aa"'), "201"),
    ("area with an underline", body(area='"28_13"'), "422 /area"),
    ("area with an accent", body(area='"2801\u00e9"'), "422 /area"),
    ("area in Arabic digits", body(area='"\u0662\u0668"'), "422 /area"),
    ("area with a line end", body(area='"28013\\n"'), "422 /area"),
    ("area with SQL", body(area='"1\'; DROP"'), "422 /area"),
    ("64 KiB to the byte", T[:-1] + b" " * (65536 - len(T)) + b"}", "201"),
]
CUSTOMER = [
    ("customer is empty", customer("{}"), "201"),
    ("customer is whole", customer('{"ref":"C","name":"Ana","phone":"+34 600","email":"a@b"}'), "201"),
    ("customer's members are null", customer('{"ref":null,"name":null,"phone":null,"email":null}'), "201"),
    ("customer has an unknown member", customer('{"nmae":"x"}'), "422 /customer/nmae"),
    ("customer has a member with a slash", customer('{"a/b":1}'), "422 /customer/a~1b"),
    ("customer has a member with a tilde", customer('{"a~b":1}'), "422 /customer/a~0b"),
    ("customer is all wrong", customer('{"ref":1,"name":2,"phone":3,"email":4,"x":5}'),
     "422 /customer/ref /customer/name /customer/phone /customer/email /customer/x"),
    ("customer in a customer", customer('{"customer":{}}'), "422 /customer/customer"),
    ("ticket's member in a customer", customer('{"type":"tv"}'), "422 /customer/type"),
    ("customer's member in a ticket", body(name='"Ana"'), "422 /name"),
]
CUSTOMER += [(f"customer is {text}", customer(text), "422 /customer") for text in ("7", "true", '"Ana"', "[]", '[{"name":"x"}]')]
CUSTOMER += [(f"phone is {text}", customer(f'{{"phone":"{text}"}}'), "201") for text in ("1", "+34 (600) 12-34/5.6", "0" * 32)]
CUSTOMER += [(f"phone is {text}", customer(f'{{"phone":"{text}"}}'), "422 /customer/phone")
             for text in ("", "+", "call me", "1x", "\u0661", "0" * 33, "1\\n2", "1;2", "1,2", "#31#1")]
CUSTOMER += [(f"e-mail is {text}", customer(f'{{"email":"{text}"}}'), "201")
             for text in ("a@b", "a.b+c@d.example", "\u00f1@b.es", "a" * 252 + "@b", "o'neil@b.ie", "x@[127.0.0.1]")]
CUSTOMER += [(f"e-mail is {text}", customer(f'{{"email":"{text}"}}'), "422 /customer/email")
             for text in ("", "a", "ab", "@", "a@", "@b", "a@b@c", "a b@c", "a@b c", "a@b\\nBcc: x", "a" * 253 + "@b", "a@b\\t")]
CUSTOMER += [(f"customer's {member} of {n}", customer('{"%s":"%s"}' % (member, "a" * n)), verdict)
             for member, most in (("ref", 64), ("name", 200))
             for n, verdict in ((most, "201"), (most + 1, f"422 /customer/{member}"))]
NESTED = [
    ("32 levels", body(x="[" * 31 + "]" * 31), "422 /x"),
    ("33 levels", body(x="[" * 32 + "]" * 32), "400 -"),
    ("33 levels of objects", body(x='{"a":' * 32 + "1" + "}" * 32), "400 -"),
    ("20,000 brackets", b"[" * 20000, "400 -"),
    ("10,000 objects", b'{"a":' * 10000, "400 -"),
    ("brackets in a string", body(problem='"' + "[{" * 1000 + '"'), "201"),
    ("brackets behind an escaped quote", body(problem='"\\"' + "[{" * 1000 + '"'), "201"),
    ("256 elements", body(x="[" + ",".join(["0"] * 253) + "]"), "422 /x"),
    ("257 elements", body(x="[" + ",".join(["0"] * 254) + "]"), "400 -"),
    ("5,000 members", ("{" + ",".join(f'"m{i}":0' for i in range(5000)) + "}").encode(), "400 -"),
    ("commas in a string", body(problem='"' + "," * 1000 + '"'), "201"),
    ("30 wrong members", ("{" + ",".join(f'"m{i:02}":0' for i in range(30)) + "}").encode(),
     "422 /type /problem /area " + " ".join(f"/m{i:02}" for i in range(21))),
]
# Bytes that are no UTF-8, in a text that may hold anything else.
BYTES = [(f"bytes {data.hex(' ')} in the problem", raw("problem", data), "400 /problem") for data in (
    b"\x80", b"\xbf", b"\xc0\x80", b"\xc0\xaf", b"\xc1\xbf", b"\xc3", b"\xc3(", b"\xe0\x80\xaf", b"\xe0\x9f\xbf", b"\xe2\x82", b"\xe2(\xa1",
    b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x80\x80\xaf", b"\xf0\x8f\xbf\xbf", b"\xf0\x9f\x94", b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xfe", b"\xff", b"a\xffb", b"\xe9", b"\x93x\x94")]
BYTES += [(f"a raw {data.hex(' ')} in the problem", raw("problem", data), "400 /problem") for data in (
    b"\x00", b"\x01", b"\x08", b"\t", b"\n", b"\x0b", b"\r", b"\x1b", b"\x1f")]
ESCAPES = [(f"{text.decode()} in the problem", raw("problem", text), "400 /problem") for text in (
    rb'\u0000', rb'a\u0000b', rb'\ud800', rb'\udfff', rb'\ud800x', rb'\ud800\ud800', rb'\udc00\ud800', rb'\ud83d\u0041', rb'\u12',
    rb'\u', rb'\uxyzw', rb'\U0041', rb'\x41', rb'\a', rb'\0', rb'\e', rb"\'", rb'\u00e')]
ESCAPES += [(f"{text.decode()} in the problem", raw("problem", b"a" + text), "422 /problem")
            for text in (rb'\u0001', rb'\b', rb'\f', rb'\u001b', rb'\u007f', rb'\u000b')]
ESCAPES += [("a string that never ends", T[:-2], "400 /problem"), ("a backslash at the end", T[:-2] + b"\\", "400 /problem")]

ALL = [(f"{group}: {name}", data, verdict) for group, cases in (
    ("grammar", GRAMMAR), ("literals", LITERALS), ("numbers", NUMBERS), ("types", TYPES), ("missing", MISSING), ("null", NULLS),
    ("lengths", LENGTHS), ("customer", CUSTOMER), ("nested", NESTED), ("bytes", BYTES), ("escapes", ESCAPES))
    for name, data, verdict in cases]

# Texts that break what is written without care. Each must be stored byte for byte in every field that takes any text.
NAUGHTY = [
    "\u202egnp.exe", "\u202a\u202b\u202c\u202d\u202e", "\u2066x\u2069", "\u200fabc", "a\u200bb", "a\u200cb", "a\u200db", "a\u2060b", "\ufeffa", "a\ufeff",
    "\u00a0a\u00a0", "a\u00adb", "\u2028", "\u2029", "a\u0085b", "e\u0301", "\u00e9", "\u1e9b\u0323", "\ufb03", "\u0130\u0131\u017f\u00df", "Z\u0335\u0321\u0353\u0324a\u0334l\u0337g\u0336o\u0335",
    "\U0001f469\u200d\U0001f4bb", "\U0001f1ea\U0001f1f8", "\U0001f44b\U0001f3fd", "\u2764\ufe0f", "\U000e0001\U000e0041", "\U0001f600" * 20, "\U0010ffff", "\uffff", "\ufffd", "\ue000",
    "\u0645\u0631\u062d\u0628\u0627", "\u05e9\u05dc\u05d5\u05dd", "\u65e5\u672c\u8a9e", "\ud55c\uad6d\uc5b4", "\u0e44\u0e17\u0e22", "\u0928\u092e\u0938\u094d\u0924\u0947", "\U00020000\U0002a6d6", "\ufdfa", "\u0661\u0662\u0663",
    "'; DROP TABLE squad.ticket; --", "1' OR '1'='1", "\" OR \"\"=\"", "$$; SELECT pg_sleep(9); $$", "'||(SELECT version())||'", "\\'; --", "E'\\x00'", "%s%s%n%d%x",
    "%00", "%0d%0aSet-Cookie: a=b", "$1", ":name", "{0}", "{{7*7}}", "${7*7}", "#{7*7}", "${jndi:ldap://a/b}", "`id`", "$(id)", "| id", "; id", "&& id",
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'><svg/onload=alert(1)>", "javascript:alert(1)", "&lt;b&gt;", "&#0;", "<!--", "]]>", "<?php ?>", "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>",
    "=1+1", "+1+1", "-1+1", "@SUM(1)", "=cmd|' /C calc'!A0", "\"a\",\"b\"", "a,b;c|d", "'", "\"", "\\", "\\\\", "\\n", "\\u0000", "\"\"\"", "/", "//", "..", "../../../../etc/passwd",
    "C:\\CON", "NUL", "null", "NULL", "undefined", "true", "false", "NaN", "Infinity", "0", "-1", "1e309", "0x0", "1/0", "[object Object]", "__proto__", "constructor",
    "{\"a\":1}", "[]", "{}", "()", "a" * 32, " a", "a ", "a  b", "*", "%", "_", "a%b_c", "^$", ".*", "(a+)+$", "~", "|", "?", "#", "&", "a=b&c=d", "+", "a+b", "admin@example.com",
]
# Texts that a line, as a name or a type is, can not hold, but the customer's words can.
PROSE = ["a\nb", "a\r\nb", "a\tb", "\na", "a\n", "1\n\n\n2", "\u202e\n\u202c", "=1\n=2", "a\r\n.\r\nQUIT", "From: x\r\nBcc: y\r\n\r\n"]
# Texts that nothing may hold.
NOWHERE = ["a\x00b", "\x00", "\x01", "a\x07", "\x1b[31mred", "a\x08\x08", "\x7f", "", " ", "   "]
