{{/*
What is made once: the admin key and the certificate. On an upgrade they are found in the cluster and kept; without a
cluster (helm template) they are new each time, so give Secrets of your own there. Made once per render: kept in .Values.
*/}}
{{- define "coordinator.made" -}}
{{- if not (hasKey .Values "_made") -}}
{{- $name := include "coordinator.fullname" . -}}
{{- $key := lookup "v1" "Secret" .Release.Namespace $name | default dict -}}
{{- $tls := lookup "v1" "Secret" .Release.Namespace (print $name "-tls") | default dict -}}
{{- $made := dict -}}
{{- if not .Values.adminKey.existingSecret -}}
{{- $_ := set $made "adminKey" (dig "data" "admin-key" (randAlphaNum 43 | b64enc) $key) -}}
{{- end -}}
{{- if not (or .Values.tls.existingSecret .Values.tls.plainHttp) -}}
{{- if $tls.data -}}
{{- $_ := set $made "tls" $tls.data -}}
{{- else -}}
{{- $names := list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) "localhost" -}}
{{- $addresses := list "127.0.0.1" -}}
{{- range .Values.tls.extraNames -}}
{{- if regexMatch "^[0-9.]+$|:" . -}}
{{- $addresses = append $addresses . -}}
{{- else -}}
{{- $names = append $names . -}}
{{- end -}}
{{- end -}}
{{- $ca := genCA (print $name " " .Release.Namespace) 3650 -}}
{{- $certificate := genSignedCert $name (uniq $addresses) (uniq $names) 3650 $ca -}}
{{- $_ := set $made "tls" (dict "tls.crt" ($certificate.Cert | b64enc) "tls.key" ($certificate.Key | b64enc) "ca.crt" ($ca.Cert | b64enc)) -}}
{{- end -}}
{{- end -}}
{{- $_ := set .Values "_made" $made -}}
{{- end -}}
{{- toYaml .Values._made -}}
{{- end -}}

{{/* What cannot work, in words. */}}
{{- define "coordinator.check" -}}
{{- $v := .Values -}}
{{- if not $v.image.repository -}}
{{- fail "image.repository is empty: give the name under which the runner's image was pushed" -}}
{{- end -}}
{{- if and $v.tls.existingSecret $v.tls.plainHttp -}}
{{- fail "tls.existingSecret and tls.plainHttp: give one of the two" -}}
{{- end -}}
{{- range $name := list "RUNNER_ADMIN_KEY" "RUNNER_DATABASE_URL" -}}
{{- if hasKey $v.settings $name -}}
{{- fail (printf "settings.%s: settings lie in a ConfigMap, which is no place for a secret; use extraEnv with secretKeyRef" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "coordinator.adminKeySecret" -}}
{{- .Values.adminKey.existingSecret | default (include "coordinator.fullname" .) -}}
{{- end -}}

{{- define "coordinator.tlsSecret" -}}
{{- if not .Values.tls.plainHttp -}}
{{- .Values.tls.existingSecret | default (print (include "coordinator.fullname" .) "-tls") -}}
{{- end -}}
{{- end -}}

{{- define "coordinator.config" -}}
RUNNER_LISTEN: 0.0.0.0:{{ .Values.port }}
RUNNER_DATA_DIR: /var/lib/runner/coordinator
RUNNER_ADMIN_KEY_FILE: /etc/runner/admin/admin.key
{{- if .Values.tls.plainHttp }}
RUNNER_INSECURE: "true"
{{- else }}
RUNNER_TLS_CERT: /etc/runner/tls/tls.crt
RUNNER_TLS_KEY: /etc/runner/tls/tls.key
{{- end }}
{{- if .Values.signingKey.existingSecret }}
RUNNER_SIGNING_KEY_FILE: /etc/runner/signing/signing.key
{{- end }}
{{- with .Values.publicUrl }}
RUNNER_PUBLIC_URL: {{ . | quote }}
{{- end }}
# For `kubectl exec … -- runner …`: the operator's commands, in this very pod.
RUNNER_COORDINATOR_URL: {{ ternary "http" "https" .Values.tls.plainHttp }}://localhost:{{ .Values.port }}
{{- if not (or .Values.tls.existingSecret .Values.tls.plainHttp) }}
RUNNER_CA_FILE: /etc/runner/tls/ca.crt
{{- end }}
HOME: /tmp
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ toString $value | quote }}
{{- end }}
{{- end -}}

{{/* A Secret that others made: its content, so that helm upgrade rolls the pod after a change of it. */}}
{{- define "coordinator.sumOf" -}}
{{- $found := lookup "v1" "Secret" .namespace .name | default dict -}}
{{- $found.data | default dict | toJson | sha256sum -}}
{{- end -}}
