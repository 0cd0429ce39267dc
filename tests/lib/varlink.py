# SPDX-License-Identifier: Apache-2.0
"""A Varlink client of hsmd for tests, sharing no code with it: the messages of varlink.org, descriptors in SCM_RIGHTS."""
import array
import base64
import json
import os
import socket

# The kernel's SCM_MAX_FD.
FDS_PER_SEND = 253


class VarlinkError(Exception):
    """An error that the other side sent."""

    def __init__(self, name, parameters):
        super().__init__("%s %s" % (name, json.dumps(parameters)))
        self.name = name
        self.parameters = parameters
        self.reason = parameters.get("reason")


class Gone(Exception):
    """The connection has ended, or could not be had."""


class Connection:
    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.socket.settimeout(timeout)
        self.buffer = b""
        try:
            self.socket.connect(path)
        except (OSError, socket.timeout) as e:
            self.socket.close()
            raise Gone("%s: %s" % (path, e)) from e

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    def send_bytes(self, data, fds=()):
        """Descriptors go with the first bytes, so many at a time as the kernel takes."""
        fds = list(fds)
        try:
            while fds:
                some, fds = fds[:FDS_PER_SEND], fds[FDS_PER_SEND:]
                control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", some))]
                if self.socket.sendmsg([data[:1]], control) != 1:
                    raise Gone("nothing was taken")
                data = data[1:]
            self.socket.sendall(data)
        except socket.timeout:
            raise
        except OSError as e:
            raise Gone(str(e)) from e

    def send(self, method, parameters=None, fds=(), **flags):
        call = {"method": method, "parameters": parameters or {}, **flags}
        self.send_bytes(json.dumps(call).encode() + b"\0", fds)

    def receive_bytes(self):
        """One message without its NUL."""
        while b"\0" not in self.buffer:
            try:
                more = self.socket.recv(1 << 16)
            except socket.timeout:
                raise
            except OSError as e:
                raise Gone(str(e)) from e
            if not more:
                raise Gone("end of file")
            self.buffer += more
        message, _, self.buffer = self.buffer.partition(b"\0")
        return message

    def receive(self):
        """(parameters, continues)"""
        message = json.loads(self.receive_bytes())
        if "error" in message:
            raise VarlinkError(message["error"], message.get("parameters", {}))
        return message["parameters"], message.get("continues", False)

    def call(self, method, parameters=None, fds=()):
        self.send(method, parameters, fds)
        answer, continues = self.receive()
        assert not continues, "more than one answer to %s" % method
        return answer

    # ---- the calls of hsmd ----

    def sign(self, key, artifacts, method="Sign", more=False, **parameters):
        """artifacts: (name, bytes, path, descriptor, or {"sha256": HEX}), ...  Results by index."""
        listed, fds, own = [], [], []
        try:
            for name, what in artifacts:
                member = {"name": name}
                if isinstance(what, dict):
                    member.update(what)
                else:
                    fd = what if isinstance(what, int) else open_artifact(what)
                    if not isinstance(what, int):
                        own.append(fd)
                    member["fd"] = len(fds)
                    fds.append(fd)
                listed.append(member)
            if key:
                parameters["key"] = key
            parameters["artifacts"] = listed
            self.send("org.hsmd.Sign." + method, parameters, fds, **({"more": True} if more else {}))
        finally:
            for fd in own:
                os.close(fd)
        results, continues = [], True
        while continues:
            answer, continues = self.receive()
            results += answer["results"]
        return sorted(results, key=lambda r: r["index"])

    def check(self, key, artifacts, **parameters):
        return self.sign(key, artifacts, method="Check", **parameters)

    def attest(self, path):
        with open(path, "rb") as f:
            return self.call("org.hsmd.Sign.Attest", {"fd": 0}, [f.fileno()])

    def list(self, **filters):
        """All that match, newest first: (index, entry), ..."""
        found, before = [], None
        while True:
            page = dict(filters, limit=filters.get("limit", 1000))
            if before is not None:
                page["before"] = before
            answer = self.call("org.hsmd.Journal.List", page)
            found += [(e["index"], e["entry"]) for e in answer["entries"]]
            if "next" not in answer:
                return found
            before = answer["next"]

    def checkpoint(self):
        return self.call("org.hsmd.Journal.Checkpoint")["checkpoint"].encode()

    def show(self, index):
        return self.call("org.hsmd.Journal.Show", {"index": index})

    def status(self):
        return self.call("org.hsmd.Status.Get")


def open_artifact(what):
    """A descriptor of a file, or of a memfd with these bytes."""
    if not isinstance(what, bytes):
        return os.open(what, os.O_RDONLY | os.O_CLOEXEC)
    fd = os.memfd_create("artifact")
    os.write(fd, what)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def signature_of(result):
    return base64.b64decode(result["signature"], validate=True)
