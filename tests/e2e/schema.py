"""The schemas of settings files, and whether the program is of the same mind: schema.py PROGRAM FOLDER

FOLDER holds the samples with their schemas. Lines "passed: SENTENCE" and "failed: SENTENCE" tell the verdicts.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

import jsonschema

program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
KINDS = {"watari": "suite", "turn-server": "turn", "stun-server": "stun", "signaling": "signaling", "demo-web": "web"}
SETTING = re.compile(r"^#? ?([a-z0-9_]+) = (.*)$")
# Of a list, and not of a table in it, the program names the whole.
PLACE = re.compile(r"\[\d+\].*")


def verdict(sentence, wrong):
    for line in wrong:
        print(f"    {line}")
    print(f"{'failed' if wrong else 'passed'}: {sentence}")


def refused_by_schema(validator, text):
    """The dotted keys that the schema has something against."""
    for error in validator.iter_errors(tomllib.loads(text)):
        place = ".".join(str(step) for step in error.absolute_path if isinstance(step, str))
        if error.validator == "additionalProperties" and isinstance(error.instance, dict):
            unknown = set(error.instance) - set(error.schema.get("properties", {}))
            yield from (f"{place}.{key}".lstrip(".") for key in unknown)
        else:
            yield place


def refused_by_program(server, text):
    """The dotted keys that `watari check-config` has something against."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        asked = [program, "check-config", "--json", "--server", server, file.name]
        answer = subprocess.run(asked, capture_output=True, text=True).stdout
    return {PLACE.sub("", mistake["key"]) for mistake in json.loads(answer)["mistakes"]}


def apart(validator, server, text, expected):
    """Where schema, program and what is expected do not refuse the same keys."""
    schema = set(refused_by_schema(validator, text))
    ours = refused_by_program(server, text)
    for key in sorted(expected):
        if key not in schema:
            yield f"{key}: the schema has nothing against it"
        if key not in ours:
            yield f"{key}: the program has nothing against it"
    # The program looks into more than types, but never takes what the schema refuses.
    yield from (f"{key}: refused by the schema alone" for key in sorted(schema - ours))


def settings(sample):
    """Each line that sets a key, or shows how to: its number, the table, the key and the text of the value."""
    table = ""
    for number, line in enumerate(sample):
        if line.startswith("["):
            table = line.strip("[]")
        elif found := SETTING.match(line):
            yield number, table, *found.groups()


def node(schema, dotted):
    """The part of the schema that is about a key; None where names are the operator's."""
    for step in dotted.split("."):
        schema = schema.get("properties", {}).get(step)
        if schema is None:
            return None
    return schema


def choices(schema):
    if schema is None:
        return []
    return schema.get("enum") or [one["const"] for one in schema.get("oneOf", []) if "const" in one]


for name, server in KINDS.items():
    text = (folder / f"{name}.toml").read_text()
    sample = text.splitlines()
    printed = subprocess.run([program, "default-config", "--server", server], capture_output=True, text=True).stdout
    verdict(f"{name}: the sample is what is printed", [] if printed == text else ["it is not"])
    named = re.match(r"#:schema \./(\S+)\n", text)
    schema = json.loads((folder / named[1]).read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    verdict(f"{name}: the sample fits its schema", list(refused_by_schema(validator, text)))

    wrong = []
    for number, table, key, value in settings(sample):
        dotted = f"{table}.{key}".lstrip(".")
        if not sample[number].startswith("#") or node(schema, dotted) is None:
            continue
        shown = {key: tomllib.loads(f"x = {value}")["x"]}
        for step in reversed(table.split(".")):
            shown = {step: shown}
        wrong += [f"{dotted}: {error.message}" for error in validator.iter_errors(shown)]
    verdict(f"{name}: so do the examples in it", wrong)

    tables = [""] + [line.strip("[]") for line in sample if line.startswith("[")]
    bogus = "bogus = 1\n" + re.sub(r"^(\[.*\])$", r"\1\nbogus = 1", text, flags=re.M)
    expected = {f"{table}.bogus".lstrip(".") for table in tables}
    verdict(f"{name}: a bogus key is refused in each of {len(tables)} tables", list(apart(validator, server, bogus, expected)))

    lines, expected = list(sample), set()
    for number, table, key, _ in settings(sample):
        if not sample[number].startswith("#"):
            lines[number] = f"{key} = {{ bogus = 1 }}"
            expected.add(f"{table}.{key}".lstrip("."))
    verdict(f"{name}: none of {len(expected)} keys takes another kind of value", list(apart(validator, server, "\n".join(lines), expected)))

    lines, expected = list(sample), set()
    for number, table, key, _ in settings(sample):
        dotted = f"{table}.{key}".lstrip(".")
        if not sample[number].startswith("#") and choices(node(schema, dotted)):
            lines[number] = f'{key} = "bogus"'
            expected.add(dotted)
    verdict(f"{name}: {len(expected)} keys take only the values that are listed", list(apart(validator, server, "\n".join(lines), expected)))
    wrong = []
    for number, table, key, _ in settings(sample):
        dotted = f"{table}.{key}".lstrip(".")
        for choice in choices(node(schema, dotted)):
            lines = list(sample)
            lines[number] = f'{key} = "{choice}"'
            if dotted in refused_by_program(server, "\n".join(lines)):
                wrong.append(f"{dotted}: {choice} is listed and refused")
    verdict(f"{name}: and each of these", wrong)
