#!/usr/bin/env bash
# The alert rules and the dashboard, with a real Prometheus that scrapes a real server.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
need promtool prometheus python3 openssl

deploy=$root/deploy
for file in prometheus.yml compose.yml; do
    if promtool check config "$deploy/prometheus/$file" >"$scratch/config.log" 2>&1; then
        ok "Prometheus takes $file"
    else
        not_ok "Prometheus takes $file" "$scratch/config.log"
    fi
done
if promtool test rules "$deploy/prometheus/watari.rules.test.yml" >"$scratch/rules.log" 2>&1; then
    ok "each alert comes when it should, and not when it should not"
else
    not_ok "each alert comes when it should, and not when it should not" "$scratch/rules.log"
fi

read -r -a ports <<<"$(free_ports 5)"
start watari "$bin/watari" up --state "$scratch/state" --https --listen-turn "127.0.0.1:${ports[0]}" \
    --listen-web "127.0.0.1:${ports[1]}" --listen-https "127.0.0.1:${ports[2]}" --listen-metrics "127.0.0.1:${ports[3]}" \
    --set 'turn.listen_tls=[]'
watari=$pid
wait_ready watari "$watari" "${ports[3]}"
sed -e "s/127.0.0.1:9641/127.0.0.1:${ports[3]}/" -e 's/15s/1s/' "$deploy/prometheus/prometheus.yml" >"$scratch/prometheus.yml"
cp "$deploy/prometheus/watari.rules.yml" "$scratch"
start prometheus prometheus --config.file="$scratch/prometheus.yml" --storage.tsdb.path="$scratch/data" \
    --web.listen-address="127.0.0.1:${ports[4]}" --log.level=warn
prometheus=$pid
wait_open "$prometheus" "${ports[4]}"
python3 "$e2e/dashboard.py" "http://127.0.0.1:${ports[4]}" "http://127.0.0.1:${ports[3]}/metrics" \
    "$deploy/grafana/dashboards/watari.json" >"$scratch/dashboard.txt" 2>&1 ||
    echo "failed: the dashboard's questions can be asked" >>"$scratch/dashboard.txt"
report "$scratch/dashboard.txt"

python3 "$e2e/metrics_table.py" "$root/README.md" "http://127.0.0.1:${ports[3]}/metrics" >"$scratch/table.txt" 2>&1 ||
    echo "failed: README's table of metrics can be compared" >>"$scratch/table.txt"
report "$scratch/table.txt"

kill "$watari"
wait "$watari" || true
done_checking
