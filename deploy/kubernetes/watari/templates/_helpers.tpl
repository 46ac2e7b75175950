{{- define "watari.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "watari.fullname" -}}
{{- $name := include "watari.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "watari.selector" -}}
app.kubernetes.io/name: {{ include "watari.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "watari.labels" -}}
{{ include "watari.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "watari.secret" -}}
{{- .Values.secret.existing | default (include "watari.fullname" .) -}}
{{- end -}}

{{- define "watari.isHost" -}}
{{- if eq .Values.form "hostNetwork" }}yes{{ end -}}
{{- end -}}

{{- define "watari.minPort" -}}
{{- .Values.relay.minPort | default (ternary 49152 49160 (eq .Values.form "hostNetwork")) | int -}}
{{- end -}}

{{- define "watari.maxPort" -}}
{{- .Values.relay.maxPort | default (ternary 65535 49199 (eq .Values.form "hostNetwork")) | int -}}
{{- end -}}

{{- /* The host in ICE URIs; HOST_IP is for Kubernetes to put in. */ -}}
{{- define "watari.iceHost" -}}
{{- if .Values.turnHost }}{{ .Values.turnHost }}
{{- else if contains ":" .Values.externalAddress }}[{{ .Values.externalAddress }}]
{{- else }}{{ .Values.externalAddress | default "$(HOST_IP)" }}
{{- end -}}
{{- end -}}

{{- define "watari.iceUrls" -}}
{{- $host := include "watari.iceHost" . -}}
{{- $at := printf "%s:%d" $host (int .Values.ports.turn) -}}
{{- $urls := list (printf "stun:%s" $at) (printf "turn:%s?transport=udp" $at) (printf "turn:%s?transport=tcp" $at) -}}
{{- if and .Values.turnHost .Values.tls.existingSecret -}}
{{- $urls = append $urls (printf "turns:%s:%d?transport=tcp" $host (int .Values.ports.turnTls)) -}}
{{- end -}}
{{- toJson $urls -}}
{{- end -}}

{{- /* "0.0.0.0:PORT", and "[::]:PORT" where IPv6 is wanted. */ -}}
{{- define "watari.everywhere" -}}
{{- $at := list (printf "0.0.0.0:%d" (int .port)) -}}
{{- if .ipv6 }}{{ $at = append $at (printf "[::]:%d" (int .port)) }}{{ end -}}
{{- toJson $at -}}
{{- end -}}

{{- /* What the chart decides, as TOML. */ -}}
{{- define "watari.ownSettings" -}}
[turn]
realm = {{ .Values.realm | toJson }}
drain_seconds = {{ int .Values.drainSeconds }}
shared_secret_file = "/etc/watari/secrets/turn-secret"
{{- if ne (int .Values.ports.turn) 3478 }}
listen = {{ include "watari.everywhere" (dict "port" .Values.ports.turn "ipv6" .Values.ipv6) }}
{{- end }}
{{- if ne (int .Values.ports.turnTls) 5349 }}
listen_tls = {{ include "watari.everywhere" (dict "port" .Values.ports.turnTls "ipv6" .Values.ipv6) }}
{{- end }}
[turn.relay]
min_port = {{ include "watari.minPort" . }}
max_port = {{ include "watari.maxPort" . }}
{{- if not (include "watari.isHost" .) }}
addresses = [{ external = {{ .Values.externalAddress | toJson }} }]
{{- end }}
{{- if .Values.tls.existingSecret }}
[tls]
certificates = [{ certificate = "/etc/watari/tls/tls.crt", key = "/etc/watari/tls/tls.key", awaited = true }]
{{- end }}
[web]
{{- if .Values.web.enabled }}
listen = {{ include "watari.everywhere" (dict "port" .Values.ports.web "ipv6" .Values.ipv6) }}
listen_https = []
{{- if .Values.ingress.enabled }}
on_turn_ports = "nothing"
{{- end }}
[signaling.ice]
secret_file = "/etc/watari/secrets/turn-secret"
{{- if or .Values.turnHost .Values.externalAddress }}
urls = {{ include "watari.iceUrls" . }}
{{- end }}
{{- if .Values.redis.existingSecret }}
[signaling.cluster]
prefix = {{ .Values.redis.prefix | default (printf "%s/%s" .Release.Namespace .Release.Name) | trunc 64 | toJson }}
{{- end }}
{{- else }}
listen = []
listen_https = []
on_turn_ports = "nothing"
{{- end }}
{{- if not (and (include "watari.isHost" .) .Values.metrics.enabled) }}
{{- $host := "127.0.0.1" }}
{{- if .Values.metrics.enabled }}{{ $host = ternary "[::]" "0.0.0.0" .Values.ipv6 }}{{ end }}
[metrics]
listen = "{{ $host }}:{{ int .Values.ports.metrics }}"
{{- end }}
{{- end -}}

{{- /* Ours and theirs in one, after a look at what theirs may not say. */ -}}
{{- define "watari.settings" -}}
{{- $own := fromToml (include "watari.ownSettings" .) -}}
{{- if hasKey $own "Error" }}{{ fail (printf "the chart's own settings are no TOML: %s" $own.Error) }}{{ end -}}
{{- $theirs := dict -}}
{{- if .Values.settings }}{{ $theirs = fromToml .Values.settings }}{{ end -}}
{{- if and (hasKey $theirs "Error") (kindIs "string" $theirs.Error) }}{{ fail (printf "settings: %s" $theirs.Error) }}{{ end -}}
{{- include "watari.refuseSettings" (dict "theirs" $theirs "Values" .Values) -}}
{{- toToml (mustMergeOverwrite (deepCopy $theirs) $own) -}}
{{- end -}}

{{- define "watari.refuseSettings" -}}
{{- $theirs := .theirs -}}
{{- $decided := dict
  "turn.realm" "realm" "turn.drain_seconds" "drainSeconds" "turn.shared_secret_file" "secret.existing"
  "turn.listen" "ports.turn" "turn.listen_tls" "ports.turnTls" "turn.relay.min_port" "relay.minPort"
  "turn.relay.max_port" "relay.maxPort" "turn.relay.addresses" "externalAddress" "tls.certificates" "tls.existingSecret"
  "web.listen" "ports.web" "web.listen_https" "web.enabled" "signaling.ice.urls" "turnHost"
  "signaling.ice.secret_file" "secret.existing" "signaling.cluster.prefix" "redis.prefix" "metrics.listen" "metrics.enabled"
  "state.folder" "state.existingClaim" -}}
{{- if or .Values.ingress.enabled (not .Values.web.enabled) -}}
{{- $decided = set $decided "web.on_turn_ports" (ternary "ingress.enabled" "web.enabled" .Values.web.enabled) -}}
{{- end -}}
{{- range $key, $value := $decided -}}
{{- if include "watari.has" (dict "in" $theirs "key" $key) }}{{ fail (printf "settings: %s is decided by the value %s" $key $value) }}{{ end -}}
{{- end -}}
{{- $secrets := list "turn.shared_secrets" "turn.users" "turn.oauth.keys" "turn.admin.token" "signaling.ice.secret"
  "signaling.ice.admin.token" "signaling.credentials.api_keys" "signaling.cluster.redis" "signaling.room_tokens.keys" "signaling.ice.nodes" -}}
{{- range $key := $secrets -}}
{{- if include "watari.has" (dict "in" $theirs "key" $key) -}}
{{- fail (printf "settings: %s may hold secrets, and a ConfigMap is no place for them: use env with WATARI_%s from a Secret" $key ($key | replace "." "__" | upper)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Says yes where the dotted key is there. */ -}}
{{- define "watari.has" -}}
{{- $at := .in -}}
{{- $found := true -}}
{{- range $step := splitList "." .key -}}
{{- if and $found (kindIs "map" $at) (hasKey $at $step) }}{{ $at = index $at $step }}{{ else }}{{ $found = false }}{{ end -}}
{{- end -}}
{{- if $found }}yes{{ end -}}
{{- end -}}

{{- /* What a schema cannot say. */ -}}
{{- define "watari.check" -}}
{{- $many := or (eq .Values.kind "DaemonSet") (gt (int .Values.replicas) 1) -}}
{{- $min := int (include "watari.minPort" .) -}}
{{- $max := int (include "watari.maxPort" .) -}}
{{- if gt $min $max }}{{ fail (printf "relay.minPort %d is above relay.maxPort %d" $min $max) }}{{ end -}}
{{- if eq .Values.form "loadBalancer" -}}
{{- if not .Values.externalAddress }}{{ fail "loadBalancer needs externalAddress: the address that the load balancer has" }}{{ end -}}
{{- if $many }}{{ fail "loadBalancer is for one replica of a Deployment: what peers send to a relay port has to reach the pod that has it. Take hostNetwork, or a release for each address" }}{{ end -}}
{{- if gt (sub $max $min) 99 }}{{ fail "loadBalancer: each relay port is a port of the Service, so 100 are the most" }}{{ end -}}
{{- end -}}
{{- if and $many .Values.web.enabled (not .Values.redis.existingSecret) -}}
{{- fail "several pods with a page need redis.existingSecret: else two people in one room may be at two pods. Or web.enabled=false" -}}
{{- end -}}
{{- if and $many .Values.externalAddress }}{{ fail "externalAddress is of one pod; several are each at their node's address" }}{{ end -}}
{{- if and $many .Values.state.existingClaim }}{{ fail "state.existingClaim is for one pod" }}{{ end -}}
{{- if and .Values.networkPolicy.enabled (include "watari.isHost" .) }}{{ fail "networkPolicy.enabled would do nothing: pods in the node's network are not subject to policies" }}{{ end -}}
{{- if and .Values.ingress.enabled (not .Values.web.enabled) }}{{ fail "ingress.enabled needs web.enabled" }}{{ end -}}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.enabled) }}{{ fail "metrics.serviceMonitor.enabled needs metrics.enabled" }}{{ end -}}
{{- end -}}
