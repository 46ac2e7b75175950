# Shared by the end-to-end scripts: starts servers, waits for them, counts what was checked.
# Sourced with `set -euo pipefail`; everything started here ends with the script, by process id.

e2e=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$e2e/../.." && pwd)
bin=${WATARI_BIN_DIR:-$root/target/release}
scratch=$(mktemp -d)
started=()
checks=0
failures=0

cleanup() {
    local pid
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$scratch"
}
trap cleanup EXIT

ok() {
    checks=$((checks + 1))
    echo "ok $checks - $1"
}

# not_ok SENTENCE [FILE]: counts a failure and shows the end of what the program said.
not_ok() {
    checks=$((checks + 1))
    failures=$((failures + 1))
    echo "not ok $checks - $1"
    [ -z "${2:-}" ] || tail -n 12 "$2" | sed 's/^/    /'
}

# report FILE: counts the lines "passed: SENTENCE" and "failed: SENTENCE" that a program wrote; the others explain them.
report() {
    local verdict sentence
    while read -r verdict sentence; do
        case $verdict in
            passed:) ok "$sentence" ;;
            failed:) not_ok "$sentence" ;;
            *) echo "    $verdict $sentence" ;;
        esac
    done <"$1"
}

# skip WHY: ends the script, which then counts as skipped.
skip() {
    echo "skipped: $1"
    exit 0
}

need() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "$(basename "$0") needs $program, which is not installed"
    done
}

# need_python_packages: sets $python to one that has those of requirements.txt, installed if need be.
need_python_packages() {
    python="$root/.venv/bin/python"
    "$python" -c 'import aioice, aiortc, jsonschema' 2>/dev/null && return
    python3 -m venv "$root/.venv" 2>/dev/null || skip "python3 -m venv does not work here"
    "$python" -m pip install --quiet --requirement "$e2e/requirements.txt" >"$scratch/pip.log" 2>&1 ||
        skip "the packages of requirements.txt cannot be installed: $(tail -n 1 "$scratch/pip.log")"
}

# need_descriptors COUNT: as many as are allowed, which must do for COUNT sockets here, and for as many in a server.
need_descriptors() {
    [ -r /proc/self/status ] || skip "memory is read from /proc, which is not here"
    ulimit -n "$(ulimit -H -n)"
    [ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge $(($1 + 200)) ] ||
        skip "$1 clients need more than the $(ulimit -n) descriptors that are allowed here"
}

# value FILE KEY: the number that a program told in a line "KEY NUMBER".
value() {
    awk -v key="$2" '$1 == key { print $2 }' "$1"
}

# done_checking: the last line of every script.
done_checking() {
    echo "$checks checked, $failures failed"
    [ "$failures" -eq 0 ]
}

# free_ports COUNT: prints UDP and TCP ports free on IPv4 and IPv6, outside the relay ranges used here.
free_ports() {
    python3 "$e2e/free_ports.py" "$1"
}

# start NAME COMMAND...: runs a program in the background; its output is in $scratch/NAME.log, its pid in $pid.
start() {
    local name=$1
    shift
    "$@" >"$scratch/$name.log" 2>&1 &
    pid=$!
    started+=("$pid")
}

# wait_ready NAME PID PORT: asks /readyz until it says 200.
wait_ready() {
    local _ answer
    for _ in $(seq 200); do
        answer=$(http "$3" /readyz 2>/dev/null || true)
        [[ $answer == HTTP/1.?\ 200\ * ]] && return 0
        kill -0 "$2" 2>/dev/null || break
        sleep 0.05
    done
    not_ok "$1 becomes ready" "$scratch/$1.log"
    exit 1
}

# wait_open PID PORT [COMMAND...]: waits until a TCP port on loopback is open, seen from where COMMAND starts programs.
wait_open() {
    local _ pid=$1 port=$2
    shift 2
    for _ in $(seq 200); do
        "$@" bash -c ": <>/dev/tcp/127.0.0.1/$port" 2>/dev/null && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    return 1
}

# http PORT PATH: prints the response of a GET on loopback.
http() {
    exec 3<>"/dev/tcp/127.0.0.1/$1" || return 0
    printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3
    cat <&3
    exec 3>&- 3<&-
}

# metric PORT NAME: prints the sum over all labels of a metric.
metric() {
    http "$1" /metrics | awk -v name="$2" \
        '$1 == name || index($1, name "{") == 1 { sum += $NF } END { printf "%d\n", sum }'
}

# mint_certificates: an authority in $scratch/ca.pem, and its certificate for localhost and loopback in
# $scratch/chain.pem with the key in $scratch/key.pem.
mint_certificates() {
    local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2)
    {
        openssl req -x509 "${key[@]}" -subj "/CN=Watari test authority" -keyout "$scratch/ca.key" -out "$scratch/ca.pem"
        openssl req -x509 "${key[@]}" -subj "/CN=localhost" -CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" \
            -addext "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1" -addext "basicConstraints=critical,CA:FALSE" \
            -keyout "$scratch/key.pem" -out "$scratch/chain.pem"
    } 2>"$scratch/openssl.log"
}
