# Shared by the scripts that run coturn's client. Sourced after lib.sh; `always` holds what each run of it is given.

declare -A clients
# The longest that a run may take, in seconds.
limit=60

# uclient NAME ARGUMENTS...: runs a client in the background.
uclient() {
    local name=$1
    shift
    {
        status=0
        timeout "$limit" turnutils_uclient -n 20 -z 5 "${always[@]}" "$@" || status=$?
        echo "exit status $status"
    } >"$scratch/$name.out" 2>&1 &
    clients[$name]=$!
}

# lost NAME PERCENT SENTENCE: waits for a client; so much, and no more, must have been lost, and something have come back.
lost() {
    local out="$scratch/$1.out"
    wait "${clients[$1]}"
    if grep -q '^exit status 0$' "$out" && grep -q "Total lost packets [0-9]* ($2.000000%)" "$out" &&
        grep -qE 'tot_recv_msgs=[1-9]' "$out"; then
        ok "$3"
    else
        not_ok "$3" "$out"
    fi
}

# no_loss NAME SENTENCE: waits for a client; each datagram must have come back.
no_loss() { lost "$1" 0 "$2"; }
