"""The servers: how each is started, and what it can do."""
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time

from machine import SERVER_CPU, Process, read

# What a case may ask of a server, and the address it then has.
URLS = {
    "tcp": "tcp://127.0.0.1:{port}",
    "ws": "ws://127.0.0.1:{port}/echo",
    "http": "http://127.0.0.1:{port}/healthz",
    "broadcast": "ws://127.0.0.1:{port}/broadcast",
    "deflate": "ws://127.0.0.1:{port}/echo",
    "deflate-broadcast": "ws://127.0.0.1:{port}/broadcast",
    "wss": "wss://127.0.0.1:{port}/echo",
    "https": "https://127.0.0.1:{port}/healthz",
    "slow": "http://127.0.0.1:{port}/listing/",
    "redis": "tcp://127.0.0.1:{port}",
}

ONELOOP = {
    "tcp": "--listen tcp://127.0.0.1:{port}/echo",
    "ws": "--listen http://127.0.0.1:{port}",
    "http": "--listen http://127.0.0.1:{port}",
    "broadcast": "--listen http://127.0.0.1:{port}",
    "deflate": "--listen http://127.0.0.1:{port} --deflate on",
    "deflate-broadcast": "--listen http://127.0.0.1:{port} --deflate on",
    "wss": "--listen https://127.0.0.1:{port} --tls-self-signed",
    "https": "--listen https://127.0.0.1:{port} --tls-self-signed",
}

NGINX = """daemon off; master_process off; pid {dir}/nginx.pid; error_log stderr crit;
worker_rlimit_nofile 20000; events {{ worker_connections 19900; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 75s;
    client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir};
    uwsgi_temp_path {dir}; scgi_temp_path {dir};
    server {{
        listen 127.0.0.1:{port} backlog=4096 {tls};
        location /healthz {{ default_type text/plain; return 200 "ok\\n"; }}
        location /listing/ {{ alias {dir}/listing/; autoindex on; }}
    }}
}}
"""
NGINX_TLS = "ssl; ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem"

HAPROXY = """global
    nbthread 1
    maxconn 9900
defaults
    mode http
    timeout connect 60s
    timeout client 60s
    timeout server 60s
frontend f
    bind 127.0.0.1:{port} backlog 4096
    http-request return status 200 content-type text/plain string "ok\\n"
"""


class Server:
    """A server that is not running yet: its name, what it can do, and its command."""

    def __init__(self, name, kinds, command):
        self.name, self.kinds, self.command = name, kinds, command

    def start(self, kind, prefix=()):
        """Runs it for `kind` and waits until it listens."""
        return Running(self, kind, prefix)


class Running:
    def __init__(self, server, kind, prefix=()):
        self.server, self.kind = server, kind
        self.port = free_port()
        self.url = URLS[kind].format(port=self.port)
        self.dir = tempfile.TemporaryDirectory(prefix="oneloop-bench-")
        self.log = os.path.join(self.dir.name, "log")
        command = server.command(kind, self.port, self.dir.name)
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = Process([*prefix, *command], SERVER_CPU, stdout=log, stderr=log)
        self.pid = self.process.pid
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise

    def wait(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.child.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        status = self.process.child.poll()
        how = "does not listen" if status is None else "ended with exit status %d" % status
        last = read(self.log).strip().splitlines()[-1:]
        raise RuntimeError(": ".join(["it " + how, *last]))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.end()
        self.dir.cleanup()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def nginx(kind, port, place):
    if kind == "https":
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-subj", "/CN=localhost", "-days", "2", "-keyout", place + "/key.pem",
             "-out", place + "/cert.pem"], check=True, capture_output=True)
    os.chmod(place, 0o755)
    os.mkdir(place + "/listing")
    for number in range(100):
        open("%s/listing/%03d" % (place, number), "w", encoding="utf-8").close()
    tls = NGINX_TLS.format(dir=place) if kind == "https" else ""
    head, _, rest = tls.partition(";")
    text = NGINX.format(dir=place, port=port, tls=head).replace(
        "location /healthz", rest + (";" if rest else "") + " location /healthz")
    return with_config("nginx.conf", text, place, ["nginx", "-e", "stderr", "-p", place, "-c"])


def haproxy(_kind, port, place):
    return with_config("haproxy.cfg", HAPROXY.format(port=port), place, ["haproxy", "-db", "-f"])


def redis(_kind, port, place):
    return ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "",
            "--appendonly", "no", "--maxclients", "19900", "--dir", place]


def with_config(name, text, place, command):
    path = os.path.join(place, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return [*command, path]


def known(built, others):
    """All servers, ours first, then what it is compared with; and what is missing, in words."""
    found, missing = [], []

    def oneloop(kind, port, _place):
        return [built["oneloop"], "serve", "--log", "error",
                *ONELOOP[kind].format(port=port).split()]

    found.append(Server("oneloop", list(ONELOOP), oneloop))
    floor = lambda kind, port, _: [built["floor"], kind, str(port)]
    found.append(Server("floor", ["tcp", "ws", "http"], floor))
    if os.access(built["peers"], os.X_OK):
        names = subprocess.run([built["peers"], "--names"], capture_output=True, text=True,
                               check=True)
        for name, kind in map(str.split, names.stdout.splitlines()):
            peer = lambda _kind, port, _, name=name: [built["peers"], name, str(port)]
            found.append(Server(name, [kind], peer))
        if "uwebsockets" not in names.stdout:
            missing.append(
                "uWebSockets is not built in: as root, apt-get install g++ libclang-dev libuv1-dev "
                "libssl-dev zlib1g-dev, then PEERS_FEATURES=uwebsockets scripts/bench.sh")
    else:
        missing.append("the peers are not built: cargo build --release --manifest-path "
                       "benches/peers/Cargo.toml does, or says why not")
    system = [("nginx", "nginx", ["http", "slow", "https"], nginx),
              ("haproxy", "haproxy", ["http"], haproxy),
              ("redis", "redis-server", ["redis"], redis)]
    for name, program, kinds, command in system:
        if shutil.which(program):
            found.append(Server(name, kinds, command))
        else:
            missing.append("%s is not installed: as root, apt-get install %s" % (name, program))
    for name, kinds, command in others:
        made = lambda _kind, port, _, command=command: shlex.split(
            command.replace("{port}", str(port)))
        found.append(Server(name, kinds, made))
    return found, missing
