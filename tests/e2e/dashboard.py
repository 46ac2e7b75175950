"""Asks Prometheus what the dashboard asks: dashboard.py PROMETHEUS METRICS DASHBOARD RULES

Every question has to be one that Prometheus understands, about metrics that the server has.
"""

import json
import re
import sys
import time
import urllib.parse
import urllib.request

prometheus, metrics, dashboard, rules = sys.argv[1:]
# Only nodes of a cluster have the first; the others are there once something has been said.
ABSENT = {"signaling_cluster_connected", "signaling_messages_total", "signaling_drops_total"}


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

panels = json.load(open(dashboard))["panels"]
questions = [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", [])]
known = set(re.findall(r"^# TYPE (\w+)", get(metrics), re.M))
wrong, unknown = [], set()
with open(rules) as file:
    texts = [expression for _, expression in questions] + [file.read()]
for text in texts:
    for name in re.findall(r"\b(?:turn|stun|signaling|process)_\w+", text):
        base = re.sub(r"_bucket$", "", name)
        if base not in known and base not in ABSENT:
            unknown.add(name)
for title, expression in questions:
    asked = expression.replace("$instance", ".*").replace("$__rate_interval", "1m")
    answer = query(asked)
    if isinstance(answer, str):
        wrong.append(f"{title}: {answer}")
verdict = "failed" if wrong else "passed"
print(f"{verdict}: Prometheus understands {len(questions)} questions of {len(panels)} panels")
for what in wrong:
    print(what)
verdict = "failed" if unknown else "passed"
print(f"{verdict}: the dashboard and the alerts are about metrics that there are {' '.join(sorted(unknown))}")
stat = query('sum(turn_allocations{instance=~".*"})')
print(f"{'passed' if stat else 'failed'}: a panel has a figure")
