"""Asks Prometheus what the dashboard asks: dashboard.py PROMETHEUS METRICS DASHBOARD

Every question, of the dashboard and of the alerts that Prometheus has loaded, has to be one that Prometheus understands,
about metrics, labels and their values that the server has.
"""

import json
import re
import sys
import time
import urllib.parse
import urllib.request

prometheus, metrics, dashboard = sys.argv[1:]
# Only nodes of a cluster have the first; the others are there once something has been said.
ABSENT = {"signaling_cluster_connected": [], "signaling_messages_total": ["event"], "signaling_drops_total": ["reason"]}
# What Prometheus puts beside the labels of a series.
ADDED = {"instance", "job"}


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def query(expression):
    asked = urllib.parse.urlencode({"query": expression})
    try:
        return json.loads(get(f"{prometheus}/api/v1/query?{asked}"))["data"]["result"]
    except urllib.error.HTTPError as error:
        return error.read().decode()


for _ in range(100):
    up = query('up{job="watari"}')
    if up and up[0]["value"][1] == "1":
        break
    time.sleep(0.1)
else:
    sys.exit("failed: Prometheus scrapes the server")
print("passed: Prometheus scrapes the server")

def series():
    """The labels of each metric, and the values of each."""
    known = {name: {label: set() for label in labels} for name, labels in ABSENT.items()}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? ", get(metrics), re.M):
        values = known.setdefault(name, {})
        for label, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels):
            values.setdefault(label, set()).add(value)
    return known


def mistakes(known, expression, shown):
    """What a question is about that is not there; `shown` is a text that names labels of the answer."""
    grouped = re.findall(r"\bby ?\(([^)]*)\)", expression)
    selected = re.findall(r"\b((?:turn|stun|signaling|process)_\w+)(?:\{([^}]*)\})?", expression)
    there = set(ADDED)
    for name, matchers in selected:
        if name not in known:
            yield f"no metric {name}"
            continue
        there |= known[name].keys()
        for label, operator, wanted in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', matchers):
            if label in ADDED:
                continue
            if label not in known[name]:
                yield f"no label {label} of {name}"
                continue
            # A metric that is not there yet has values that nobody knows.
            missing = set(wanted.split("|") if "~" in operator else [wanted]) - known[name][label]
            yield from (f"no {name} with {label}={value}" for value in missing if known[name][label])
    answered = {label.strip() for group in grouped for label in group.split(",")} or there
    yield from (f"no label {label} to group by" for label in answered - there)
    named = re.findall(r"\{\{ ?(?:\$labels\.)?(\w+)", shown)
    yield from (f"no label {label} in the answer" for label in named if label not in answered)


panels = json.load(open(dashboard))["panels"]
targets = [(panel["title"], target) for panel in panels for target in panel.get("targets", [])]
groups = json.loads(get(f"{prometheus}/api/v1/rules"))["data"]["groups"]
alerts = [rule for group in groups for rule in group["rules"]]
known, wrong, unknown = series(), [], []
for title, target in targets:
    expression = target["expr"]
    unknown += [f"{title}: {what}" for what in mistakes(known, expression, target.get("legendFormat", ""))]
    answer = query(expression.replace("$instance", ".*").replace("$__rate_interval", "1m"))
    if isinstance(answer, str):
        wrong.append(f"{title}: {answer}")
for alert in alerts:
    unknown += [f"{alert['name']}: {what}" for what in mistakes(known, alert["query"], " ".join(alert["annotations"].values()))]
verdict = "failed" if wrong or not targets else "passed"
print(f"{verdict}: Prometheus understands {len(targets)} questions of {len(panels)} panels")
for what in wrong:
    print(what)
verdict = "failed" if unknown or not alerts else "passed"
print(f"{verdict}: the dashboard and {len(alerts)} alerts are about metrics and labels that there are")
for what in unknown:
    print(what)
stat = query('sum(turn_allocations{instance=~".*"})')
print(f"{'passed' if stat else 'failed'}: a panel has a figure")
