"""
port.py SOURCES SITE: ports autobahntestsuite 0.8.2 and autobahn 0.10.9 to Python 3.

SOURCES holds both unpacked; SITE is where the modules go.

How byte strings are carried over
---------------------------------
In the Python 2 sources payloads are plain string literals, i.e. byte strings.
Here every literal is left as it is and becomes a Python 3 str in which each
character stands for the byte of the same number ("latin-1 str"): the sources
are read as latin-1, so that a non-ASCII literal turns into one character per
source byte. Length, slicing, indexing, concatenation, chr(), comparison and
join mean the same for such strings as they did for Python 2 byte strings, so the
case classes need no change in what they send and what they expect.
The mapping to real bytes happens at one place only, where cases meet the
protocol: FuzzingProtocol.sendFrame / sendMessage / sendMessageFrameData /
sendCloseFrame (str -> bytes) and FuzzingProtocol.onMessage / onPong
(bytes -> str). See _py3.py below.
"""
import os
import re
import shutil
import sys
import warnings

warnings.simplefilter("ignore")
from fissix import refactor  # noqa: E402

src, site = sys.argv[1:3]

FIXERS = ["dict", "except", "has_key", "import", "ne", "print", "raise", "unicode", "xrange"]
tool = refactor.RefactoringTool(["fissix.fixes.fix_" + f for f in FIXERS], {}, [])


def patched(text, name, subs):
    """Apply (old, new, count) replacements, each of which must match exactly count times."""
    for old, new, count in subs:
        found = text.count(old)
        if found != count:
            raise SystemExit("port: %s: expected %d x %r, found %d" % (name, count, old, found))
        text = text.replace(old, new)
    return text


def convert(path, out, name, subs=(), refactor_it=True):
    with open(path, "rb") as f:
        original = f.read().decode("latin-1")
    text = original.replace("\r\n", "\n")
    if not text.endswith("\n"):
        text += "\n"
    text = re.sub(r"\A#\s*coding=utf-8\s*\n", "", text)
    text = patched(text, name, subs)
    if refactor_it:
        text = str(tool.refactor_string(text, path))
    compile(text, name, "exec", dont_inherit=True)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    with open(out, "w", encoding="utf-8", newline="\n") as f:
        f.write(text)


# --------------------------------------------------------------------- autobahn
a_src = os.path.join(src, "autobahn-0.10.9", "autobahn")
a_out = os.path.join(site, "autobahn")
if os.path.exists(a_out):
    shutil.rmtree(a_out)
# Only what the testsuite needs (that is, no WAMP and no asyncio).
for rel in ["__init__.py", "_logging.py", "util.py",
            "twisted/__init__.py", "twisted/util.py", "twisted/websocket.py",
            "websocket/__init__.py", "websocket/compress.py", "websocket/compress_base.py",
            "websocket/compress_bzip2.py", "websocket/compress_deflate.py",
            "websocket/compress_snappy.py", "websocket/http.py", "websocket/interfaces.py",
            "websocket/protocol.py", "websocket/useragent.py",
            "websocket/utf8validator.py", "websocket/xormasker.py"]:
    subs = []
    if rel == "websocket/protocol.py":
        # Python 2's / on ints; the only one in code used here.
        subs = [("range(payload_len / len(payload))", "range(payload_len // len(payload))", 1)]
    elif rel == "twisted/websocket.py":
        # leave out the WAMP classes, the end of the file
        subs = [("from autobahn.wamp import websocket\n", "", 1)]
    path = os.path.join(a_src, rel)
    if rel == "twisted/websocket.py":
        with open(path, encoding="utf-8") as f:
            text = f.read()
        cut = text.index("class WampWebSocketServerProtocol(")
        path = os.path.join(src, "twisted_websocket.py")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text[:cut].rstrip() + "\n")
        subs.append(("""    'connectWS',

    'WampWebSocketServerProtocol',
    'WampWebSocketServerFactory',
    'WampWebSocketClientProtocol',
    'WampWebSocketClientFactory',
)
""", """    'connectWS',
)
""", 1))
    convert(path, os.path.join(a_out, rel), "autobahn/" + rel, subs, refactor_it=False)

# ------------------------------------------------------------ autobahntestsuite
t_src = os.path.join(src, "autobahntestsuite-0.8.2", "autobahntestsuite")
t_out = os.path.join(site, "autobahntestsuite")
if os.path.exists(t_out):
    shutil.rmtree(t_out)
os.makedirs(t_out)

with open(os.path.join(t_out, "_py3.py"), "w") as f:
    f.write('''\
"""Where latin-1 strs (one character per byte) meet bytes. Part of the Python 3 port."""
import binascii as _binascii
import os as _os

from autobahn.websocket.utf8validator import Utf8Validator as _Utf8Validator


def to_bytes(s):
    return s.encode("latin-1") if isinstance(s, str) else s


def to_str(b):
    return b.decode("latin-1") if isinstance(b, (bytes, bytearray)) else b


class binascii:
    """b2a_hex and hexlify as in Python 2: both sides are strs."""

    @staticmethod
    def b2a_hex(data):
        return _binascii.b2a_hex(to_bytes(data)).decode("ascii")

    hexlify = b2a_hex


class Utf8Validator:
    """The validator of autobahn, taking strs too."""

    def __init__(self):
        self._v = _Utf8Validator()

    def reset(self):
        self._v.reset()

    def validate(self, data):
        return self._v.validate(to_bytes(data))


class pkg_resources:
    """setuptools has dropped pkg_resources."""

    @staticmethod
    def resource_filename(package, name):
        assert package == "autobahntestsuite"
        return _os.path.join(_os.path.dirname(_os.path.abspath(__file__)), name)
''')

with open(os.path.join(t_out, "__init__.py"), "w") as f:
    f.write("from ._version import __version__\nversion = __version__\n")

convert(os.path.join(t_src, "_version.py"), os.path.join(t_out, "_version.py"),
        "autobahntestsuite/_version.py")
convert(os.path.join(t_src, "caseset.py"), os.path.join(t_out, "caseset.py"),
        "autobahntestsuite/caseset.py",
        [(r"replace('.', '\.')", r"replace('.', '\\.')", 3)])
convert(os.path.join(t_src, "spectemplate.py"), os.path.join(t_out, "spectemplate.py"),
        "autobahntestsuite/spectemplate.py")

# report.py: only the CSS and JS strings at its start are used.
with open(os.path.join(t_src, "report.py"), "rb") as f:
    report = f.read().decode("latin-1")
report = report[:report.index("REPORT_DIR_PERMISSIONS")].replace("import jinja2\n", "")
report_path = os.path.join(src, "report.py")
with open(report_path, "w", encoding="latin-1") as f:
    f.write(report)
convert(report_path, os.path.join(t_out, "report.py"), "autobahntestsuite/report.py")

# ---- the cases
OBJECT_CASE = ("(object, Case, ),", "(Case, ),", None)   # no such bases in Python 3
case_dir = os.path.join(t_src, "case")
for fn in sorted(os.listdir(case_dir)):
    if not fn.endswith(".py"):
        continue
    if fn == "case9_9_1.py":      # imported, but in no list of cases; needs an old zope.interface
        continue
    path = os.path.join(case_dir, fn)
    with open(path, "rb") as f:
        text = f.read().decode("latin-1").replace("\r\n", "\n")
    subs = []
    n = text.count(OBJECT_CASE[0])
    if n:
        subs.append((OBJECT_CASE[0], OBJECT_CASE[1], n))
    if fn == "__init__.py":
        subs.append(("from case9_9_1 import *\n", "", 1))
    elif fn == "case12_x_x.py":
        subs.append(("import copy, os, pkg_resources, hashlib, binascii\n",
                     "import copy, os, hashlib\n"
                     "from autobahntestsuite._py3 import binascii, pkg_resources, to_bytes\n", 1))
        # These cases work on real bytes.
        subs.append(("def onMessage(self, msg, binary):\n",
                     "def onMessage(self, msg, binary):\n   msg = to_bytes(msg)\n", 1))
    elif fn == "case6_x_x.py":
        # What follows the first "import array" is a stand-alone self test.
        subs.append(("from autobahn.websocket.utf8validator import Utf8Validator\n",
                     "from autobahntestsuite._py3 import Utf8Validator\n", 1))
        subs.append(("import binascii\n", "from autobahntestsuite._py3 import binascii\n", 2))
    elif fn == "case10_1_1.py":
        subs.append(("len(self.payload) / self.p.autoFragmentSize",
                     "len(self.payload) // self.p.autoFragmentSize", 1))
    elif "import binascii\n" in text:
        subs.append(("import binascii\n", "from autobahntestsuite._py3 import binascii\n",
                     text.count("import binascii\n")))
    convert(path, os.path.join(t_out, "case", fn), "autobahntestsuite/case/" + fn, subs)

# ---- the fuzzer
convert(os.path.join(t_src, "fuzzing.py"), os.path.join(t_out, "fuzzing.py"),
        "autobahntestsuite/fuzzing.py", [
    ("import os, json, binascii, time, textwrap, pkg_resources\n",
     "import os, json, time, textwrap\n", 1),
    ("# for versions\nimport autobahn\n",
     "from autobahntestsuite._py3 import binascii, pkg_resources, to_bytes, to_str\n\n"
     "# for versions\nimport autobahn\n", 1),
    # log data may be str or bytes
    ("def asciiLogData(data, maxlen = 64, replace = False):\n   ellipses = \" ...\"\n   try:\n",
     "def asciiLogData(data, maxlen = 64, replace = False):\n"
     "   data = to_bytes(data)\n   ellipses = b\" ...\"\n   try:\n", 1),
    ("p = ''.join(payload)\n", "p = b''.join(payload)\n", 1),
    # values that were byte strings and go to the report
    ("\"localCloseReason\": self.localCloseReason,",
     "\"localCloseReason\": asciiLogData(self.localCloseReason, 1000)"
     " if self.localCloseReason is not None else None,", 1),
    ("self.Case.DESCRIPTION,", "asciiLogData(self.Case.DESCRIPTION, 10000),", 1),
    ("% CCase.DESCRIPTION)", "% asciiLogData(CCase.DESCRIPTION, 10000))", 1),
    ("self.http_request_data if hasattr", "to_str(self.http_request_data) if hasattr", 1),
    ("self.http_response_data if hasattr", "to_str(self.http_response_data) if hasattr", 1),
    # cases deal in strs of one character per byte
    ("         self.runCase.onMessage(msg, binary)\n",
     "         self.runCase.onMessage(to_str(msg), binary)\n", 1),
    ("         self.runCase.onPong(payload)\n",
     "         self.runCase.onPong(to_str(payload))\n", 1),
    ("log.msg(\"Pong received: \" + payload)", "log.msg(\"Pong received: \" + to_str(payload))", 1),
    ("   def onPong(self, payload):\n", '''\
   def sendFrame(self, opcode, payload = b"", *args, **kwargs):
      super().sendFrame(opcode, to_bytes(payload), *args, **kwargs)


   def sendMessage(self, payload, *args, **kwargs):
      super().sendMessage(to_bytes(payload), *args, **kwargs)


   def sendMessageFrameData(self, payload, sync = False):
      return super().sendMessageFrameData(to_bytes(payload), sync)


   def sendCloseFrame(self, code = None, reasonUtf8 = None, isReply = False):
      super().sendCloseFrame(code, to_bytes(reasonUtf8), isReply)


   def onPong(self, payload):
''', 1),
    # reports: text files in UTF-8
    ("f = open(os.path.join(outdir, report_filename), 'w')",
     "f = open(os.path.join(outdir, report_filename), 'w', encoding = 'utf-8')", 4),
    ("case[c[0]], c[1])).encode(\"utf-8\"))", "case[c[0]], c[1])))", 1),
    ("(2+4+len(prefix))*\" \", ll.encode('utf8')))", "(2+4+len(prefix))*\" \", ll))", 1),
    # listen on the loopback interface only
    ("listenWS(factory, sslContext)\n",
     "listenWS(factory, sslContext, interface = '127.0.0.1')\n", 1),
    ("reactor.listenTCP(webport, web)\n",
     "reactor.listenTCP(webport, web, interface = '127.0.0.1')\n", 1),
    ("webdir.putChild('cwd', curdir)", "webdir.putChild(b'cwd', curdir)", 1),
])

for sub in ("testdata", "web/fuzzingserver"):
    shutil.copytree(os.path.join(t_src, sub), os.path.join(t_out, sub))
for d in ("autobahn-0.10.9", "autobahntestsuite-0.8.2"):
    lic = os.path.join(src, d, "LICENSE")
    if os.path.exists(lic):
        shutil.copy(lic, os.path.join(site, d.split("-")[0], "LICENSE"))
