{{/* Variables of the runner; the rest of its settings has good defaults. */}}
{{- define "runner.config" -}}
{{- $f := include "runner.facts" . | fromYaml }}
{{- range $name, $value := $f.plainEnv }}
{{ $name }}: {{ $value | quote }}
{{- end }}
RUNNER_API_URL: {{ $f.url | quote }}
{{- if $f.many }}
RUNNER_CONFIG: /etc/runner/identity/runner.yaml
{{- else }}
RUNNER_ID: {{ $f.id | quote }}
RUNNER_TOKEN_FILE: /etc/runner/token/token
{{- end }}
RUNNER_MODE: {{ $f.mode }}
RUNNER_STATE_DIR: /var/lib/runner/state
RUNNER_TOOLS_DIR: /var/cache/runner/tools
RUNNER_DRAIN_TIMEOUT: {{ .Values.drainTimeout }}
RUNNER_HEALTH_LISTEN: "{{ ternary "127.0.0.1" "0.0.0.0" .Values.hostNetwork }}:{{ .Values.healthPort }}"
{{- if or .Values.ca.existingSecret .Values.ca.existingConfigMap }}
RUNNER_CA_FILE: /etc/runner/ca/ca.crt
{{- end }}
{{- with .Values.concurrency }}
{{- $pairs := list }}
{{- range $group, $n := . }}{{ $pairs = append $pairs (printf "%s=%d" $group (int $n)) }}{{ end }}
RUNNER_CONCURRENCY: {{ join "," $pairs | quote }}
{{- end }}
{{- with .Values.labels }}
{{- $pairs := list }}
{{- range $key, $value := . }}{{ $pairs = append $pairs (printf "%s=%v" $key $value) }}{{ end }}
RUNNER_LABEL: {{ join "," $pairs | quote }}
{{- end }}
HOME: /tmp
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ toString $value | quote }}
{{- end }}
{{- end -}}
