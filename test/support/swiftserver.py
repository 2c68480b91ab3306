"""OpenStack Swift with its S3 API on loopback: account, container, object and proxy server in one process, for tests.

usage: /usr/bin/python3 swiftserver.py FOLDER [PORT [NAME=VALUE ...]]    prints "ready PORT" once it serves; FOLDER is its own, with extended
attributes; the values are settings of the S3 API
"""
import os
import sys

import eventlet

eventlet.monkey_patch()

from eventlet import listen, wsgi  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common import utils  # noqa: E402
from paste.deploy import loadapp  # noqa: E402

folder = os.path.abspath(sys.argv[1])
port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
named = "\n".join(sys.argv[3:])
kinds = ("account", "container", "object")
sockets = {kind: listen(("127.0.0.1", 0)) for kind in kinds}
sockets["proxy"] = listen(("127.0.0.1", port), reuse_port=False)
os.makedirs(os.path.join(folder, "devices", "disk"), exist_ok=True)


def write(name, text):
    with open(os.path.join(folder, name), "w") as file:
        file.write(text)


def ring(kind):
    builder = RingBuilder(1, 1, 1)
    server = sockets[kind].getsockname()[1]
    place = {"region": 1, "zone": 1, "ip": "127.0.0.1", "port": server, "device": "disk", "weight": 1.0}
    builder.add_dev({**place, "replication_ip": "127.0.0.1", "replication_port": server, "meta": ""})
    builder.rebalance()
    name = "object" if kind == "object" else kind
    builder.get_ring().save(os.path.join(folder, name + ".ring.gz"))


write("swift.conf", "[swift-hash]\nswift_hash_path_suffix = test\nswift_hash_path_prefix = test\n")
common = f"swift_dir = {folder}\ndevices = {folder}/devices\nmount_check = false\nlog_level = ERROR\nlog_address = /dev/null\n"
for kind in kinds:
    ring(kind)
    write(kind + ".conf", f"[DEFAULT]\n{common}[app:main]\nuse = egg:swift#{kind}\n")
write(
    "proxy.conf",
    f"""[DEFAULT]
{common}[pipeline:main]
pipeline = catch_errors gatekeeper s3api tempauth copy bulk slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
dns_compliant_bucket_names = true
allow_multipart_uploads = true
{named}
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
user_test_reader = reading
user_test_second = testing .admin
[filter:copy]
use = egg:swift#copy
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
min_segment_size = 1
rate_limit_under_size = 0
""",
)


class Cache:
    """In the place of memcached: tempauth keeps its tokens in it."""

    def __init__(self):
        self.values = {}

    def get(self, key, **_):
        return self.values.get(key) if key.startswith("AUTH_") else None

    def set(self, key, value, **_):
        if key.startswith("AUTH_"):
            self.values[key] = value

    def delete(self, key, **_):
        self.values.pop(key, None)

    def incr(self, key, delta=1, **_):
        self.values[key] = self.values.get(key, 0) + delta
        return self.values[key]


def with_cache(app):
    cache = Cache()

    def serve(env, start_response):
        env["swift.cache"] = cache
        return app(env, start_response)

    return serve


utils.set_swift_dir(folder)
utils.validate_configuration()
silent = open(os.devnull, "w")
for kind, socket in sockets.items():
    app = loadapp("config:" + os.path.join(folder, kind + ".conf"))
    app = with_cache(app) if kind == "proxy" else app
    eventlet.spawn(wsgi.server, socket, app, silent, max_size=1000)
print("ready", sockets["proxy"].getsockname()[1], flush=True)


def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


# A thread of the system: a blocking read in a green one would stop all servers.
eventlet.patcher.original("threading").Thread(target=end_with_parent, daemon=True).start()
while True:
    eventlet.sleep(3600)
