#!/usr/bin/env bash
# Who guesses passwords is named in the log where fail2ban finds him, and nobody else is, whatever somebody else sends.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need python3 fail2ban-regex fail2ban-client
filter=$root/deploy/fail2ban/filter.d/watari.conf

# found NAME: the addresses that fail2ban finds in a log, each as often as it is found.
found() { fail2ban-regex --out ip "$scratch/$1.log" "$filter" | sort; }
# finds SENTENCE NAME ADDRESS...: whether fail2ban finds these addresses once each, and no other.
finds() {
    local sentence=$1 name=$2
    shift 2
    found "$name" >"$scratch/found.txt"
    if printf '%s\n' "$@" | sort | diff - "$scratch/found.txt" >"$scratch/diff.txt"; then
        ok "$sentence"
    else
        not_ok "$sentence" "$scratch/diff.txt"
    fi
}
# guess NAME ARGUMENT...: has the guesses made, and none of them surprise.
guess() {
    local name=$1
    shift
    if python3 "$e2e/guesses.py" "$@" >"$scratch/guesses.txt" 2>&1; then
        ok "$name: guesses are refused, and who knows the password is served"
    else
        not_ok "$name: guesses are refused, and who knows the password is served" "$scratch/guesses.txt"
    fi
}
read -r -a ports <<<"$(free_ports 3)"
serve() {
    local name=$1
    shift
    start "$name" "$bin/turn-server" --set "turn.listen=[\"0.0.0.0:${ports[0]}\"]" --set "metrics.listen=127.0.0.1:${ports[2]}" \
        --set 'turn.users={ alice = "wonderland" }' --set turn.workers=2 "$@"
    server=$pid
    wait_ready "$name" "$server" "${ports[2]}"
}
finish() {
    kill "$server"
    wait "$server" || true
}
guessers=(127.0.0.1{1,2,3,4})

serve text --set turn.log_auth_failures=true --set log.filter=debug
guess text "${ports[0]}"
finds "text: whoever guesses after the challenge or over TCP is found, a flood once, a forger's victim never" text "${guessers[@]}"
before=$(awk '/^VmRSS/ { print $2 }' "/proc/$server/status")
size=$(grep -c 'watari::guard' "$scratch/text.log")
python3 "$e2e/spoofed_allocates.py" "${ports[0]}" "${ports[2]}" 50000 >"$scratch/spoofed.txt" 2>&1 || not_ok "the flood is sent" "$scratch/spoofed.txt"
grown=$(($(awk '/^VmRSS/ { print $2 }' "/proc/$server/status") - before))
if [ "$(grep -c 'watari::guard' "$scratch/text.log")" -eq "$size" ] && [ "$grown" -lt 2048 ]; then
    ok "50,000 forged requests from as many addresses bring no line ($grown kB of memory)"
else
    not_ok "50,000 forged requests from as many addresses bring no line ($grown kB of memory)" "$scratch/text.log"
fi
finish

serve silent
guess silent "${ports[0]}"
if [ -z "$(found silent)" ] && ! grep -q '127\.0\.0\.1[1-4]' "$scratch/silent.log"; then
    ok "unless it is asked for, no address is in the log"
else
    not_ok "unless it is asked for, no address is in the log" "$scratch/silent.log"
fi
finish

api_key=0123456789abcdef
touch "$scratch/watari.toml"
start json "$bin/watari" up --config "$scratch/watari.toml" --state "$scratch/state" --listen-turn "0.0.0.0:${ports[0]}" --listen-web "0.0.0.0:${ports[1]}" \
    --listen-metrics "127.0.0.1:${ports[2]}" --set 'turn.users={ alice = "wonderland" }' --set log.format=json \
    --set "signaling.credentials.api_keys=[\"$api_key\"]"
server=$pid
wait_ready json "$server" "${ports[2]}"
printf '[%s]\nlog_auth_failures = true\n' turn signaling >"$scratch/watari.toml"
kill -HUP "$server"
for _ in $(seq 200); do grep -q 'settings read again' "$scratch/json.log" && break; sleep 0.05; done
guess json "${ports[0]}" "${ports[1]}" "$api_key"
finds "json: the same after a reload that asks for it, and who brings a wrong API key" json "${guessers[@]}" 127.0.0.1{5,6}
finish

# What syslog and the journal put in front of a line.
for log in text json; do sed 's/^/call watari[12]: /' "$scratch/$log.log" >"$scratch/journal-$log.log"; done
finds "text: in a journal's lines too" journal-text "${guessers[@]}"
finds "json: in a journal's lines too" journal-json "${guessers[@]}" 127.0.0.1{5,6}

cp -r "${FAIL2BAN_CONF:-/etc/fail2ban}" "$scratch/fail2ban"
rm -f "$scratch/fail2ban/jail.d"/*
cp -r "$root/deploy/fail2ban/." "$scratch/fail2ban/"
touch "$scratch/watari.log"
sed -i "s#^backend = systemd#backend = auto#; s#^\# logpath = .*#logpath = $scratch/watari.log#" "$scratch/fail2ban/jail.d/watari.conf"
if fail2ban-client --conf "$scratch/fail2ban" -d >"$scratch/jail.txt" 2>"$scratch/jail.log" && grep -q "'watari', 'maxretry', 3" "$scratch/jail.txt" &&
    grep -q "nftables" "$scratch/jail.txt"; then
    ok "fail2ban takes the jail"
else
    not_ok "fail2ban takes the jail" "$scratch/jail.log"
fi
done_checking
