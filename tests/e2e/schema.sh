#!/usr/bin/env bash
# The schemas that editors check settings files with: samples fit them, and they refuse what the program refuses.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need python3
need_python_packages
"$python" "$e2e/schema.py" "$bin/watari" "$root/config" >"$scratch/schema.txt" 2>"$scratch/schema.log" || not_ok "the schemas can be read" "$scratch/schema.log"
report "$scratch/schema.txt"
done_checking
