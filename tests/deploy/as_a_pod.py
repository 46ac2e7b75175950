"""Runs the program with the files and the environment that a rendered pod would give it."""

import base64
import json
import os
import pathlib
import subprocess
import tempfile
import time
import tomllib
import urllib.error
import urllib.request

import turn_client

# What Kubernetes would put in for status.hostIP, and what Secrets of others would hold.
HOST_IP = "127.0.0.2"
OF_OTHERS = {
    "turn-secret": "a secret of the tests",
    "api-key": "0123456789abcdef",
    "admin-token": "0123456789abcdef",
    "url": "redis://127.0.0.1:6379/",
    "users": '{ alice = "wonderland" }',
}


class Pod:
    """The first container of a rendered workload, here."""

    def __init__(self, documents, program, files=None):
        self.program = program
        workload = next(d for d in documents if d["kind"] in ("Deployment", "DaemonSet"))
        self.container = workload["spec"]["template"]["spec"]["containers"][0]
        self.files = files or next(d for d in documents if d["kind"] == "ConfigMap")["data"]
        minted = {d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "Secret"}
        self.secrets = {
            name: {key: base64.b64decode(text).decode() for key, text in data.items()} for name, data in minted.items()
        }

    def secret(self, name, key):
        """What this Secret holds: the chart's own, or one that somebody else has made."""
        return self.secrets.get(name, OF_OTHERS)[key]

    def environment(self):
        """The container's variables, with what Kubernetes puts in."""
        there = {}
        for variable in self.container["env"]:
            source = variable.get("valueFrom", {})
            if "secretKeyRef" in source:
                value = self.secret(source["secretKeyRef"]["name"], source["secretKeyRef"]["key"])
            elif "fieldRef" in source:
                assert source["fieldRef"]["fieldPath"] == "status.hostIP"
                value = HOST_IP
            else:
                value = variable["value"]
                for name, known in there.items():
                    value = value.replace(f"$({name})", known)
            assert "$(" not in value, f"{variable['name']} refers to what is not there yet"
            there[variable["name"]] = value
        return there

    def settings(self):
        """The settings as the program sees them, the two layers in one."""
        table = tomllib.loads(self.files["watari.toml"])
        for name, value in self.environment().items():
            if "__" not in name:
                continue
            *tables, key = name.removeprefix("WATARI_").lower().split("__")
            inner = table
            for step in tables:
                inner = inner.setdefault(step, {})
            try:
                inner[key] = tomllib.loads(f"x = {value}")["x"]
            except tomllib.TOMLDecodeError:
                inner[key] = value
        return table

    def lay_out(self, folder):
        """Puts the volumes below this folder, with their modes; returns the environment for it."""
        root = pathlib.Path(folder)
        secrets = self.secrets.get("call-watari", OF_OTHERS)
        for name, files in [("settings", self.files), ("secrets", secrets)]:
            (root / name).mkdir()
            for key, text in files.items():
                path = root / name / key
                path.write_text(text.replace("/etc/watari/", f"{root}/"))
                path.chmod(0o440)
        # As an emptyDir is.
        (root / "state").mkdir()
        (root / "state").chmod(0o777)
        moved = {"/etc/watari/": f"{root}/", "/var/lib/watari": f"{root}/state"}
        environment = {"PATH": os.environ["PATH"]}
        for name, value in self.environment().items():
            for before, after in moved.items():
                value = value.replace(before, after)
            environment[name] = value
        return environment

    def check(self):
        """Asks `watari check-config`; returns its status and words."""
        with tempfile.TemporaryDirectory() as folder:
            environment = self.lay_out(folder)
            command = [self.program, "check-config", environment["WATARI_CONFIG"]]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def serves(self, folder, ports):
        """Starts it, uses it and ends it; yields a sentence and what is wrong, one after the other."""
        environment = self.lay_out(folder)
        turn, _, web, _ = ports
        key = environment["WATARI_SIGNALING__CREDENTIALS__API_KEYS"]
        log = pathlib.Path(folder, "log")
        with log.open("w") as out:
            running = subprocess.Popen([self.program], env=environment, stdout=out, stderr=out)
        try:
            ready = until(lambda: self.probe("readinessProbe", environment) == 0, 15)
            yield "it is ready", [] if ready else log.read_text().splitlines()[-10:]
            alive = self.probe("livenessProbe", environment)
            yield "and alive", [] if alive == 0 else [f"the probe says {alive}"]
            ice = fetch(f"http://127.0.0.1:{web}/ice", key)
            servers = ice["iceServers"]
            told = [url for server in servers for url in server["urls"]]
            wanted = f"turn:{HOST_IP}:{turn}?transport=udp"
            yield "the page is told the node's own relay", [] if wanted in told else told
            try:
                fetch(f"http://127.0.0.1:{web}/ice", "another key")
                yield "and nobody without the key of the Secret", ["another key was taken"]
            except urllib.error.HTTPError as error:
                yield "and nobody without the key of the Secret", [] if error.code in (401, 403) else [str(error)]
            login = next(server for server in servers if "credential" in server)
            client = turn_client.Client((HOST_IP, turn), login["username"], login["credential"])
            relay = client.allocate()
            yield "the relay is at the node's address", [] if relay[0] == HOST_IP else [f"{relay}"]
            secret = self.secret("call-watari", "turn-secret")
            other = turn_client.Client((HOST_IP, turn), *turn_client.rest_credentials(secret, "other"))
            yield "the relay takes what others mint with the Secret", [] if other.allocate() else ["no"]
            other.refresh(0)
            yield from self.ends(running, client, environment)
        finally:
            running.kill()
            running.wait()

    def ends(self, running, client, environment):
        """Has it drain as kubelet does after preStop."""
        running.terminate()
        drains = until(lambda: self.probe("readinessProbe", environment) == 69, 3)
        yield "it says that it drains, and lives", [] if drains and self.probe("livenessProbe", environment) == 0 else ["no"]
        client.refresh(600)
        client.refresh(0)
        try:
            status = running.wait(20)
            yield "a call goes on meanwhile, and then it ends in order", [] if status == 0 else [f"exit {status}"]
        except subprocess.TimeoutExpired:
            yield "a call goes on meanwhile, and then it ends in order", ["it did not end"]

    def probe(self, probe, environment):
        """Runs a probe's command in the container's environment; returns its exit code."""
        _, *arguments = self.container[probe]["exec"]["command"]
        done = subprocess.run([self.program, *arguments], env=environment, capture_output=True)
        return done.returncode


def until(done, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if done():
            return True
        time.sleep(0.1)
    return False


def fetch(url, key):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)
