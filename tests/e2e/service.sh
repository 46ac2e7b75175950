#!/usr/bin/env bash
# The units: how exposed systemd finds them, and what the programs tell a service manager.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need curl systemd-analyze systemd-socket-activate python3

for unit in "$root"/deploy/systemd/*.service; do
    name=$(basename "$unit")
    score=$(systemd-analyze security --offline=true --no-pager "$unit" 2>&1 | sed -n 's/.*: \([0-9.]*\) .*/\1/p' | tail -1)
    if awk -v score="${score:-10}" 'BEGIN { exit !(score <= 2.0) }'; then
        ok "$name is exposed by $score of 10"
    else
        not_ok "$name is exposed by ${score:-?} of 10, and 2.0 is the most"
    fi
done
# With ProcSubset=pid the metrics have no process_start_time_seconds.
if grep -n '^ProcSubset=pid' "$root"/deploy/systemd/*.service >"$scratch/units.txt"; then
    not_ok "no unit hides what the metrics need" "$scratch/units.txt"
else
    ok "no unit hides what the metrics need"
fi
"$bin/watari" man-pages "$scratch/man"
sed -n 's/^Documentation=man:\(.*\)(\([18]\))$/\1.\2/p' "$root"/deploy/systemd/*.service "$root"/deploy/systemd/sockets/*.socket >"$scratch/pages.txt"
if [ "$(wc -l <"$scratch/pages.txt")" -eq 8 ] && (cd "$scratch/man" && xargs ls) <"$scratch/pages.txt" >"$scratch/ls.txt" 2>&1; then
    ok "every unit names a manual page that is there"
else
    not_ok "every unit names a manual page that is there" "$scratch/pages.txt"
fi
# The example of turn.admin.revoked_file is there.
if "$bin/turn-server" --default-config | grep -q '"/var/lib/watari/' && grep -qx StateDirectory=watari "$root/deploy/systemd/watari-turn.service"; then
    ok "the unit of turn-server lets it write where the example in its settings does"
else
    not_ok "the unit of turn-server lets it write where the example in its settings does"
fi
for program in turn-server stun-server signaling demo-web; do
    # Of all addresses that stand in a line the first is enough.
    "$bin/$program" --default-config | sed -n 's/^listen[a-z_]* = [^:]*:\([0-9]*\)".*/\1/p'
done | sort | uniq -d >"$scratch/twice.txt"
if [ -s "$scratch/twice.txt" ]; then
    not_ok "servers side by side want no port twice" "$scratch/twice.txt"
else
    ok "servers side by side want no port twice"
fi
# What a unit names has to be there; elsewhere than where a package puts it here.
mkdir -p "$scratch/units"
for unit in "$root"/deploy/systemd/*.service; do
    sed "s#^ExecStart=/usr/[a-z/]*/\([a-z-]*\)#ExecStart=$(realpath "$bin")/\1#; s#^ExecStart=/usr/bin/watari#ExecStart=$(realpath "$bin")/watari#" \
        "$unit" >"$scratch/units/$(basename "$unit")"
done
cp "$root"/deploy/systemd/sockets/*.socket "$scratch/units/"
if systemd-analyze verify --man=no "$scratch"/units/*.service "$scratch"/units/*.socket >"$scratch/verify.log" 2>&1 && ! [ -s "$scratch/verify.log" ]; then
    ok "systemd finds no mistake in the units"
else
    not_ok "systemd finds no mistake in the units" "$scratch/verify.log"
fi

read -r -a ports <<<"$(free_ports 3)"
# tells PROGRAM ARGUMENT...: whether it tells its service manager what units of Type=notify want to hear.
tells() {
    local program=$1
    shift
    python3 "$e2e/notified.py" "$scratch/$program.socket" "$bin/$program" "$@" >"$scratch/$program.txt" 2>"$scratch/$program.log" ||
        echo "failed: $program tells its service manager" >>"$scratch/$program.txt"
    report "$scratch/$program.txt"
}
metrics=(--set "metrics.listen=127.0.0.1:${ports[2]}")
tells watari up --state "$scratch/state" --listen-turn "127.0.0.1:${ports[0]}" --listen-web "127.0.0.1:${ports[1]}" \
    --listen-metrics "127.0.0.1:${ports[2]}"
tells turn-server --set "turn.listen=[\"127.0.0.1:${ports[0]}\"]" --set 'turn.shared_secrets=["a secret of the tests"]' "${metrics[@]}"
tells stun-server --set "stun.listen=[\"127.0.0.1:${ports[0]}\"]" "${metrics[@]}"
tells signaling --set "signaling.listen=127.0.0.1:${ports[1]}" --set "signaling.ice.secret=a secret of the tests" "${metrics[@]}"
tells demo-web --set "web.listen=127.0.0.1:${ports[1]}"

# is_passed PATH PROGRAM ARGUMENT...: whether it serves on a socket that is not its own, and whether that one outlives it.
is_passed() {
    local path=$1 program=$2
    shift 2
    python3 "$e2e/passed.py" 127.0.0.1 "${ports[1]}" "$path" "$bin/$program" "$@" >"$scratch/passed.txt" 2>"$scratch/passed.log" ||
        echo "failed: $program takes a socket that was opened for it" >>"$scratch/passed.txt"
    report "$scratch/passed.txt"
}
is_passed / watari up --state "$scratch/state" --listen-turn "127.0.0.1:${ports[0]}" --listen-web "127.0.0.1:${ports[1]}" \
    --listen-metrics "127.0.0.1:${ports[2]}"
is_passed /ice signaling --set "signaling.listen=127.0.0.1:${ports[1]}" --set "signaling.ice.secret=a secret of the tests" \
    --set 'signaling.ice.urls=["turn:127.0.0.1:3478"]' --set signaling.credentials.anonymous=true "${metrics[@]}"
is_passed / demo-web --set "web.listen=127.0.0.1:${ports[1]}"
# By systemd's own hand, which starts it with the first connection; the second socket is nobody's.
systemd-socket-activate -l "127.0.0.1:${ports[1]}" -l "127.0.0.1:${ports[0]}" "$bin/demo-web" --set "web.listen=127.0.0.1:${ports[1]}" \
    >"$scratch/activated.log" 2>&1 &
activated=$!
started+=("$activated")
if curl --silent --fail --retry 20 --retry-connrefused --retry-delay 1 -o "$scratch/page.html" "http://127.0.0.1:${ports[1]}/" && grep -q '<html' "$scratch/page.html"; then
    ok "systemd-socket-activate starts the page's server with the first who asks"
else
    not_ok "systemd-socket-activate starts the page's server with the first who asks" "$scratch/activated.log"
fi
if grep -q "127.0.0.1:${ports[0]}.*no setting listens\|no setting listens.*127.0.0.1:${ports[0]}" "$scratch/activated.log"; then
    ok "a socket at which nothing listens is told in the log"
else
    not_ok "a socket at which nothing listens is told in the log" "$scratch/activated.log"
fi
kill "$activated"
wait "$activated" || true

start suite "$bin/watari" up --state "$scratch/state" --listen-turn "127.0.0.1:${ports[0]}" \
    --listen-web "127.0.0.1:${ports[1]}" --listen-metrics "127.0.0.1:${ports[2]}"
suite=$pid
wait_ready suite "$suite" "${ports[2]}"
if "$bin/watari" health --set "metrics.listen=127.0.0.1:${ports[2]}" >"$scratch/health.txt" && grep -q '"ready":true' "$scratch/health.txt"; then
    ok "watari health says that a suite serves"
else
    not_ok "watari health says that a suite serves" "$scratch/health.txt"
fi
kill "$suite"
wait "$suite" || true
status=0
"$bin/watari" health --set "metrics.listen=127.0.0.1:${ports[2]}" >"$scratch/health.txt" || status=$?
if [ "$status" -eq 69 ]; then ok "and that there is none (exit 69)"; else not_ok "and that there is none (exit $status)" "$scratch/health.txt"; fi
done_checking
