"""Whether README's table of metrics is true: metrics_table.py README METRICS

Each metric that a server shows has to stand in the table with its labels; what only others show is not looked at.
"""

import re
import sys
import urllib.request

readme, metrics = sys.argv[1:]
with urllib.request.urlopen(metrics, timeout=5) as answer:
    page = answer.read().decode()
shown = {name: set() for name in re.findall(r"^# TYPE (\w+)", page, re.M) if not name.startswith("process_")}
for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? ", page, re.M):
    name = name if name in shown else re.sub(r"_(bucket|sum|count)$", "", name)
    if name in shown:
        shown[name] |= set(re.findall(r'(\w+)="', labels))

table = {}
with open(readme) as file:
    for row in re.findall(r"^\| `(?:turn|stun|signaling|watari)_.*", file.read(), re.M):
        names, labels = row.split("|")[1:3]
        for name in re.findall(r"`(\w+)`", names):
            table[name] = set(re.findall(r"`(\w+)`", labels))
wrong = [f"{name} is not in the table" for name in shown if name not in table]
wrong += [f"{name} has the labels {sorted(labels)}" for name, labels in shown.items() if table.get(name, labels) != labels]
print(f"{'failed' if wrong else 'passed'}: README tells of {len(shown)} metrics and their labels")
for what in wrong:
    print(what)
