{{- define "watari.pod" -}}
{{- $isHost := include "watari.isHost" . -}}
{{- $min := int (include "watari.minPort" .) -}}
metadata:
  labels:
    {{- include "watari.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Nobody sends a pod SIGHUP, so other settings need another one.
    checksum/settings: {{ include "watari.settings" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- if $isHost }}
  hostNetwork: true
  # For the names of other Services, such as Redis'.
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  automountServiceAccountToken: false
  # They would come as variables with our prefix.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "watari.grace" . }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
    {{- if and (not $isHost) (lt (min (int .Values.ports.turn) (int .Values.ports.turnTls) (int .Values.ports.web) (int .Values.ports.metrics)) 1024) }}
    sysctls:
      - {name: net.ipv4.ip_unprivileged_port_start, value: "0"}
    {{- end }}
  containers:
    - name: watari
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      env:
        - {name: WATARI_CONFIG, value: /etc/watari/settings/watari.toml}
        # The volume itself is open to all; a folder within it is made for the program alone.
        - {name: WATARI_STATE, value: /var/lib/watari/state}
        {{- if $isHost }}
        - name: HOST_IP
          valueFrom: {fieldRef: {fieldPath: status.hostIP}}
        - name: WATARI_TURN__RELAY__ADDRESSES
          value: '[{ local = "$(HOST_IP)"{{ with .Values.externalAddress }}, external = "{{ . }}"{{ end }} }]'
        {{- if .Values.metrics.enabled }}
        - {name: WATARI_METRICS__LISTEN, value: "$(HOST_IP):{{ int .Values.ports.metrics }}"}
        {{- end }}
        {{- if and .Values.web.enabled (not (or .Values.turnHost .Values.externalAddress)) }}
        - name: WATARI_SIGNALING__ICE__URLS
          value: {{ include "watari.iceUrls" . | squote }}
        {{- end }}
        {{- end }}
        {{- if .Values.web.enabled }}
        - name: WATARI_SIGNALING__CREDENTIALS__API_KEYS
          valueFrom: {secretKeyRef: {name: {{ include "watari.secret" . }}, key: api-key}}
        {{- end }}
        {{- if .Values.redis.existingSecret }}
        - name: WATARI_SIGNALING__CLUSTER__REDIS
          valueFrom: {secretKeyRef: {name: {{ .Values.redis.existingSecret }}, key: {{ .Values.redis.key }}}}
        {{- end }}
        {{- with .Values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {name: turn-udp, containerPort: {{ int .Values.ports.turn }}, protocol: UDP}
        - {name: turn-tcp, containerPort: {{ int .Values.ports.turn }}, protocol: TCP}
        {{- if .Values.tls.existingSecret }}
        - {name: turn-tls, containerPort: {{ int .Values.ports.turnTls }}, protocol: TCP}
        {{- end }}
        {{- if .Values.web.enabled }}
        - {name: web, containerPort: {{ int .Values.ports.web }}, protocol: TCP}
        {{- end }}
        {{- if .Values.metrics.enabled }}
        - {name: metrics, containerPort: {{ int .Values.ports.metrics }}, protocol: TCP}
        {{- end }}
        {{- if not $isHost }}
        {{- range $port := untilStep $min (int (add (include "watari.maxPort" .) 1)) 1 }}
        - {name: relay-{{ $port }}, containerPort: {{ $port }}, protocol: UDP}
        {{- end }}
        {{- end }}
      # The program asks itself, as its metrics may be at loopback.
      startupProbe:
        exec: {command: [/watari, health]}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 30
      readinessProbe:
        exec: {command: [/watari, health]}
        periodSeconds: 5
        timeoutSeconds: 5
      livenessProbe:
        exec: {command: [/watari, health, --alive]}
        periodSeconds: 20
        timeoutSeconds: 10
      {{- if gt (int .Values.preStopSeconds) 0 }}
      # Only then comes SIGTERM, and with it turn.drain_seconds.
      lifecycle:
        preStop: {sleep: {seconds: {{ int .Values.preStopSeconds }}}}
      {{- end }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - {name: settings, mountPath: /etc/watari/settings, readOnly: true}
        - {name: secrets, mountPath: /etc/watari/secrets, readOnly: true}
        {{- if .Values.tls.existingSecret }}
        - {name: tls, mountPath: /etc/watari/tls, readOnly: true}
        {{- end }}
        - {name: state, mountPath: /var/lib/watari}
  volumes:
    - name: settings
      configMap: {name: {{ include "watari.fullname" . }}}
    - name: secrets
      secret: {secretName: {{ include "watari.secret" . }}, defaultMode: 0440}
    {{- with .Values.tls.existingSecret }}
    - name: tls
      # Whoever certifies may be later than the pod.
      secret: {secretName: {{ . }}, defaultMode: 0440, optional: true}
    {{- end }}
    - name: state
      {{- if .Values.state.existingClaim }}
      persistentVolumeClaim: {claimName: {{ .Values.state.existingClaim }}}
      {{- else }}
      emptyDir: {sizeLimit: 64Mi}
      {{- end }}
  {{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" }}
  {{- with index $.Values $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end -}}

{{- /* The pause, the longer of the two drains, what the parts and the pages may take beyond it, and some. */ -}}
{{- define "watari.grace" -}}
{{- $settings := fromToml (include "watari.settings" .) -}}
{{- $signaling := dig "signaling" "drain_seconds" 2 $settings -}}
{{- add (int .Values.preStopSeconds) (max (int .Values.drainSeconds) (int $signaling)) 20 -}}
{{- end -}}
