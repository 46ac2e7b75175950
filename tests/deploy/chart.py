"""The chart in deploy/kubernetes/watari, rendered in each form: chart.py PROGRAM"""

import base64
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

from as_a_pod import Pod

CHART = "deploy/kubernetes/watari"
# The oldest that the chart takes, and the newest that is known here.
VERSIONS = ["1.30", kubernetes_validate.latest_version()]
program = sys.argv[1]
failures = 0

LOAD_BALANCER = {"form": "loadBalancer", "externalAddress": "203.0.113.5"}
EVERYTHING = {
    "ingress": {"enabled": True, "host": "call.example.org", "className": "nginx", "tlsSecret": "call-tls"},
    "metrics": {"enabled": True, "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
    "podDisruptionBudget": {"enabled": True},
    "turnHost": "turn.example.org",
    "tls": {"existingSecret": "turn-tls"},
    "secret": {"existing": "ours"},
    "redis": {"existingSecret": "redis"},
    "settings": "[turn.limits]\nallocations_per_user = 20\n\n[signaling]\ndrain_seconds = 60\n"
    'trusted_proxies = ["10.0.0.0/8"]\n[turn.admin]\ntoken_file = "/etc/watari/secrets/admin-token"\n'
    "[turn.shared_port.names]\n\"www.example.org\" = 'web'\n",
    "env": [{"name": "WATARI_TURN__USERS", "valueFrom": {"secretKeyRef": {"name": "ours", "key": "users"}}}],
    "image": {"tag": "1.2.3", "pullSecrets": [{"name": "registry"}]},
    "podLabels": {"team": "calls"},
    "podAnnotations": {"a": "b"},
    "nodeSelector": {"relay": "yes"},
    "tolerations": [{"key": "relay", "operator": "Exists"}],
    "priorityClassName": "high",
}
FORMS = {
    "on the node's network, as it comes": {},
    "a DaemonSet of relays without a page": {"kind": "DaemonSet", "web": {"enabled": False}},
    "a DaemonSet with everything": {"kind": "DaemonSet", **EVERYTHING},
    "three replicas with Redis": {"replicas": 3, "redis": {"existingSecret": "redis"}},
    "one node behind 1:1 NAT": {"externalAddress": "203.0.113.5", "drainSeconds": 600},
    "other ports and IPv6": {
        "ports": {"turn": 443, "turnTls": 8443, "web": 8080, "metrics": 9000},
        "relay": {"minPort": 50000, "maxPort": 50999},
        "ipv6": True,
        "metrics": {"enabled": True},
    },
    "a claim for its state": {"state": {"existingClaim": "watari"}, "preStopSeconds": 0},
    "behind a load balancer": LOAD_BALANCER,
    "behind one with an IPv6 address": {**LOAD_BALANCER, "externalAddress": "2001:db8::5", "ipv6": True},
    "behind a load balancer with everything": {
        **LOAD_BALANCER,
        **EVERYTHING,
        "ports": {"turnTls": 443},
        "networkPolicy": {
            "enabled": True,
            "webFrom": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}],
            "metricsFrom": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
        },
        "service": {"annotations": {"a": "b"}, "loadBalancerClass": "a/b", "loadBalancerSourceRanges": ["0.0.0.0/0"]},
    },
    "behind a load balancer without a page": {**LOAD_BALANCER, "web": {"enabled": False}},
}
# Values, and what the refusal has to name.
REFUSED = [
    ({"bogus": 1}, "Additional property bogus is not allowed"),
    ({"web": {"enable": False}}, "Additional property enable is not allowed"),
    ({"metrics": {"serviceMonitor": {"enable": True}}}, "Additional property enable is not allowed"),
    ({"form": "NodePort"}, "form must be one of"),
    ({"replicas": "two"}, "Invalid type"),
    ({"relay": {"minPort": 80}}, "Must be greater than or equal to 1024"),
    ({"realm": "a realm that has more than 32 bytes"}, "String length must be less than or equal to 32"),
    ({"externalAddress": "turn.example.org"}, "externalAddress"),
    ({"form": "loadBalancer"}, "needs externalAddress"),
    ({**LOAD_BALANCER, "replicas": 2}, "one replica"),
    ({**LOAD_BALANCER, "kind": "DaemonSet"}, "one replica"),
    ({**LOAD_BALANCER, "relay": {"minPort": 50000, "maxPort": 50100}}, "100 are the most"),
    ({"relay": {"minPort": 60000, "maxPort": 50000}}, "above relay.maxPort"),
    ({"replicas": 2}, "redis.existingSecret"),
    ({"kind": "DaemonSet"}, "redis.existingSecret"),
    ({"replicas": 2, "web": {"enabled": False}, "externalAddress": "203.0.113.5"}, "of one pod"),
    ({"replicas": 2, "web": {"enabled": False}, "state": {"existingClaim": "x"}}, "one pod"),
    ({"networkPolicy": {"enabled": True}}, "would do nothing"),
    ({"ingress": {"enabled": True}, "web": {"enabled": False}}, "needs web.enabled"),
    ({"metrics": {"serviceMonitor": {"enabled": True}}}, "needs metrics.enabled"),
    ({"settings": "[turn\n"}, "settings: toml"),
    ({"settings": "[turn]\nrealm = 'x'\n"}, "turn.realm is decided by the value realm"),
    ({"settings": "[turn.relay]\nmin_port = 50000\n"}, "decided by the value relay.minPort"),
    ({"settings": "[web]\non_turn_ports = 'page'\n", "ingress": {"enabled": True}}, "decided by the value ingress.enabled"),
    ({"settings": "[turn]\nshared_secrets = ['x']\n"}, "WATARI_TURN__SHARED_SECRETS from a Secret"),
    ({"settings": "[turn.users]\nalice = 'x'\n"}, "WATARI_TURN__USERS from a Secret"),
    ({"settings": "[signaling.cluster]\nredis = 'redis://:x@y'\n"}, "WATARI_SIGNALING__CLUSTER__REDIS from a Secret"),
]


def helm(values, *arguments):
    """Runs helm with these values; returns whether it went well, and what it said."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        done = subprocess.run(["helm", *arguments, "--values", file.name], capture_output=True, text=True)
    return done.returncode == 0, done.stdout + done.stderr


def verdict(sentence, wrong):
    """Says whether anything is wrong, and what."""
    global failures
    print(f"{'not ok' if wrong else 'ok'}: {sentence}")
    for line in wrong:
        failures += 1
        print(f"    {line}")


class Rendered:
    """The documents of one form, by kind."""

    def __init__(self, values):
        good, text = helm(values, "template", "call", CHART, "--namespace", "talk", "--kube-version", "1.30")
        self.text = text
        self.documents = [document for document in yaml.safe_load_all(text) if document] if good else []
        self.workload = next((d for d in self.documents if d["kind"] in ("Deployment", "DaemonSet")), None)
        self.pod = self.workload and self.workload["spec"]["template"]["spec"]
        self.container = self.pod and self.pod["containers"][0]

    def of(self, kind):
        return [document for document in self.documents if document["kind"] == kind]

    def settings(self):
        return self.of("ConfigMap")[0]["data"]["watari.toml"]


def schema_mistakes(rendered):
    for document in rendered.documents:
        name = f"{document['kind']} {document['metadata']['name']}"
        if document["kind"] == "ServiceMonitor":
            # Prometheus' own kind has no schema here.
            if set(document["spec"]) != {"selector", "endpoints"}:
                yield f"{name} has {sorted(document['spec'])}"
            for endpoint in document["spec"]["endpoints"]:
                # By which alerts and dashboard know it.
                if {"targetLabel": "job", "replacement": "watari"} not in endpoint.get("relabelings", []):
                    yield f"{name} has its metrics under another job"
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{name}, Kubernetes {version}: {error.message}"
        name_of = document["metadata"]["name"]
        if len(name_of) > 63:
            yield f"{name}: the name is too long"


def duplicates(rendered):
    ports = rendered.container["ports"]
    names = [port["name"] for port in ports]
    if len(set(names)) != len(names):
        yield "two ports of the container have one name"
    for name in names:
        # Kubernetes takes no longer ones.
        if not re.fullmatch(r"[a-z0-9-]{1,15}", name):
            yield f"{name} is no name of a port"


def openness(rendered):
    """What a pod may do beyond what it needs."""
    pod, container = rendered.pod, rendered.container
    wanted = {
        "runAsNonRoot": pod["securityContext"].get("runAsNonRoot") is True,
        "a numeric user": pod["securityContext"].get("runAsUser") == 65532,
        "seccomp": pod["securityContext"].get("seccompProfile") == {"type": "RuntimeDefault"},
        "a read-only root": container["securityContext"].get("readOnlyRootFilesystem") is True,
        "no new privileges": container["securityContext"].get("allowPrivilegeEscalation") is False,
        "no capabilities": container["securityContext"].get("capabilities") == {"drop": ["ALL"]},
        "no token of the cluster": pod.get("automountServiceAccountToken") is False,
        "no variables of Services": pod.get("enableServiceLinks") is False,
    }
    yield from (f"lacks {what}" for what, there in wanted.items() if not there)
    writable = [mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
    if writable != ["state"]:
        yield f"may write to {writable}"


def probes(rendered, values):
    container = rendered.container
    for probe, command in [
        ("startupProbe", ["/watari", "health"]),
        ("readinessProbe", ["/watari", "health"]),
        ("livenessProbe", ["/watari", "health", "--alive"]),
    ]:
        if container.get(probe, {}).get("exec", {}).get("command") != command:
            yield f"{probe} is not {command}"
    pause = values.get("preStopSeconds", 10)
    wanted = {"preStop": {"sleep": {"seconds": pause}}} if pause else None
    if container.get("lifecycle") != wanted:
        yield f"preStop is {container.get('lifecycle')}"
    signaling = 60 if "drain_seconds = 60\n" in values.get("settings", "") else 2
    drain = pause + max(values.get("drainSeconds", 60), signaling)
    # What follows the drain, and something for a machine that is busy.
    if rendered.pod["terminationGracePeriodSeconds"] < drain + 15:
        yield f"is killed after {rendered.pod['terminationGracePeriodSeconds']} s, and drains for {drain}"


def secrets_in_the_open(rendered):
    for document in rendered.documents:
        if document["kind"] == "Secret":
            if set(document["data"]) != {"turn-secret", "api-key"}:
                yield f"the Secret has {sorted(document['data'])}"
            minted = [base64.b64decode(text).decode() for text in document["data"].values()]
            if any(len(text) < 32 for text in minted) or len(set(minted)) != 2:
                yield "a minted secret is short, or stands there twice"
    if re.search(r"redis://|shared_secrets|\bsecret = |api_keys", rendered.settings()):
        yield "the ConfigMap has a secret"
    for variable in rendered.container["env"]:
        if re.search(r"SECRET|KEYS|REDIS|USERS", variable["name"]) and "secretKeyRef" not in variable.get("valueFrom", {}):
            yield f"{variable['name']} stands in the pod"
    has_own = bool(rendered.of("Secret"))
    named = {v["valueFrom"]["secretKeyRef"]["name"] for v in rendered.container["env"] if "secretKeyRef" in v.get("valueFrom", {})}
    if has_own and "call-watari" not in named and "KEYS" in rendered.text:
        yield "the minted Secret is not used"


def ports_apart(rendered, values):
    """Where settings, container, Services and policy name other ports."""
    pod = Pod(rendered.documents, program)
    settings = pod.settings()
    container = {(port["containerPort"], port["protocol"]): port["name"] for port in rendered.container["ports"]}
    listens = {(int(at.rsplit(":", 1)[1]), "TCP") for at in settings.get("web", {}).get("listen", [])}
    turn = settings["turn"]
    listens |= {(int(at.rsplit(":", 1)[1]), p) for at in turn.get("listen", ["x:3478"]) for p in ("UDP", "TCP")}
    if "tls" in settings:
        listens |= {(int(at.rsplit(":", 1)[1]), "TCP") for at in turn.get("listen_tls", ["x:5349"])}
    metrics = settings["metrics"]["listen"]
    if not metrics.startswith("127.0.0.1:"):
        listens.add((int(metrics.rsplit(":", 1)[1]), "TCP"))
    elif values.get("metrics", {}).get("enabled"):
        yield "metrics are for others and listen at loopback"
    is_host = rendered.pod.get("hostNetwork", False)
    relay = range(turn["relay"]["min_port"], turn["relay"]["max_port"] + 1)
    if not is_host:
        listens |= {(port, "UDP") for port in relay}
    if set(container) != listens:
        yield f"the container names {sorted(set(container) ^ listens)[:5]} as the settings do not, or the other way round"
    served = {}
    for service in rendered.of("Service"):
        selector = service["spec"]["selector"].items()
        if not selector <= rendered.workload["spec"]["template"]["metadata"]["labels"].items():
            yield f"{service['metadata']['name']} selects no pod"
        for port in service["spec"]["ports"]:
            if container.get((port["port"], port["protocol"])) != port["targetPort"]:
                yield f"{service['metadata']['name']} has {port}, which is no port of the container"
            served[(port["port"], port["protocol"])] = service["spec"].get("type", "ClusterIP")
    if not is_host and set(served) != set(container):
        yield f"no Service has {sorted(set(container) - set(served))[:5]}"
    public = {key for key, kind in served.items() if kind == "LoadBalancer"}
    private = {int(at.rsplit(":", 1)[1]) for at in settings.get("web", {}).get("listen", []) + [metrics]}
    if any(port in private for port, _ in public):
        yield "the load balancer opens the page without TLS, or the metrics"
    web = settings.get("web", {})
    if web.get("listen_https") != []:
        yield "the page listens for HTTPS at a port that nothing here names"
    if rendered.of("Ingress") and web.get("on_turn_ports") != "nothing":
        yield "the page is at the ports of TURN, past the Ingress"
    for policy in rendered.of("NetworkPolicy"):
        allowed = set()
        for rule in policy["spec"]["ingress"]:
            for port in rule["ports"]:
                allowed |= {(n, port["protocol"]) for n in range(port["port"], port.get("endPort", port["port"]) + 1)}
        if allowed != set(container):
            yield f"the policy and the container differ by {sorted(allowed ^ set(container))[:5]}"
    for url in settings.get("signaling", {}).get("ice", {}).get("urls", []):
        transport = "UDP" if url.startswith("stun:") or url.endswith("udp") else "TCP"
        port = int(re.search(r":(\d+)(\?|$)", url)[1])
        if (port, transport) not in container:
            yield f"{url} is told and not served"


def unread(rendered):
    """What the program says of the settings, as it gets them in a pod."""
    pod = Pod(rendered.documents, program)
    status, said = pod.check()
    if status != 0:
        yield from said.splitlines()
    wrong = Pod(rendered.documents, program, {"watari.toml": rendered.settings() + "\n[bogus]\n"})
    if wrong.check()[0] == 0:
        yield "it would say nothing of settings that are wrong"


good, said = helm({}, "lint", "--strict", CHART)
verdict("helm lint finds nothing", [] if good else said.splitlines())
chart = yaml.safe_load(pathlib.Path(CHART, "Chart.yaml").read_text())
version = re.search(r'^version = "(.*)"', pathlib.Path("Cargo.toml").read_text(), re.M)[1]
verdict("the chart is for the version of this source", [] if chart["appVersion"] == version else [chart["appVersion"], version])

for form, values in FORMS.items():
    rendered = Rendered(values)
    if not rendered.documents:
        verdict(f"{form}: it is rendered", rendered.text.splitlines())
        continue
    good, said = helm(values, "lint", "--strict", CHART)
    wrong = [] if good else said.splitlines()
    wrong += list(schema_mistakes(rendered)) + list(duplicates(rendered))
    verdict(f"{form}: Kubernetes takes {len(rendered.documents)} documents", wrong)
    wrong = [*openness(rendered), *probes(rendered, values), *secrets_in_the_open(rendered)]
    verdict(f"{form}: nothing is open, probed by the program itself, and drains before it is killed", wrong)
    verdict(f"{form}: settings, container, Services and policies name the same ports", list(ports_apart(rendered, values)))
    verdict(f"{form}: the program finds its settings in order", list(unread(rendered)))

for values, reason in REFUSED:
    good, said = helm(values, "template", "call", CHART, "--kube-version", "1.30")
    wrong = [] if not good and reason in said else [f"rendered: {good}", *said.splitlines()[:3]]
    verdict(f"refused: {json.dumps(values)[:90]}", wrong)

text = pathlib.Path(CHART, "values.yaml").read_text()
schema = json.loads(pathlib.Path(CHART, "values.schema.json").read_text())


def keys_apart(table, schema, path=""):
    """Where values.yaml and its schema do not have the same keys."""
    if "properties" not in schema:
        return
    known = set(schema["properties"]) - {"global", "claims"}
    for key in set(table) ^ known:
        yield f"{path}{key} is only in one of both"
    if schema.get("additionalProperties") is not False:
        yield f"{path or 'the topmost table'} takes unknown keys"
    for key in set(table) & known:
        if isinstance(table[key], dict):
            yield from keys_apart(table[key], schema["properties"][key], f"{path}{key}.")


verdict("values.yaml and its schema have the same keys", list(keys_apart(yaml.safe_load(text), schema)))
readme = pathlib.Path("deploy/kubernetes/README.md").read_text()
examples = re.findall(r"```yaml\n(.*?)```", readme, re.S)
for example in examples:
    values = yaml.safe_load(example)
    rendered = Rendered(values)
    wrong = [*schema_mistakes(rendered), *unread(rendered)] if rendered.documents else rendered.text.splitlines()
    verdict(f"the README's example with {', '.join(values)}", wrong)
for example in re.findall(r"```toml\n(.*?)```", readme, re.S):
    rendered = Rendered({"settings": example, "secret": {"existing": "ours"}})
    verdict("the README's example of settings", list(unread(rendered)) if rendered.documents else rendered.text.splitlines())
verdict("the README has an example of each form", [] if len(examples) >= 3 else [f"{len(examples)} examples"])

secrets = [Rendered({}).of("Secret")[0]["data"] for _ in range(2)]
verdict("each installation mints secrets of its own", [] if secrets[0] != secrets[1] else ["they are the same"])

ports = [int(port) for port in subprocess.check_output([sys.executable, "tests/e2e/free_ports.py", "4"], text=True).split()]
values = {
    "ports": dict(zip(["turn", "turnTls", "web", "metrics"], ports)),
    "relay": {"minPort": 49160, "maxPort": 49199},
    "drainSeconds": 5,
    "settings": '[turn.peers]\nallow = ["127.0.0.1"]\n',
}
with tempfile.TemporaryDirectory() as folder:
    pod = Pod(Rendered(values).documents, program)
    for sentence, wrong in pod.serves(folder, ports):
        verdict(f"run as the pod runs it: {sentence}", wrong)
print(f"{failures} failed")
sys.exit(failures > 0)
