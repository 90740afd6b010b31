{{/*
What the templates work with, as one document: our own values, with those of Nuon's chart beneath them.
`include "runner.facts" . | fromYaml`. What cannot work ends here, in words.
*/}}
{{- define "runner.facts" -}}
{{- $v := .Values -}}
{{- $env := $v.env | default dict -}}
{{- $pool := $v.node_pool | default dict -}}
{{- $id := $v.runnerId | default $env.RUNNER_ID -}}
{{- $url := $v.apiUrl | default $env.RUNNER_API_URL -}}
{{- $token := $v.token.value | default $env.RUNNER_API_TOKEN | default $v.nuon_api_token -}}
{{- $replicas := int ($pool.runner_count | default $v.replicas) -}}
{{- $most := ternary (int $v.autoscaling.maxReplicas) $replicas $v.autoscaling.enabled -}}
{{- $many := ne $v.identities.existingSecret "" -}}
{{- if not $v.image.repository -}}
{{- fail "image.repository is empty: give the name under which the runner's image was pushed" -}}
{{- end -}}
{{- if not $url -}}
{{- fail "apiUrl is empty: give the address of the control plane, such as https://coordinator.example.com" -}}
{{- end -}}
{{- if $many -}}
{{- if or $id $token $v.token.existingSecret -}}
{{- fail "identities.existingSecret brings ids and tokens: leave out runnerId and token" -}}
{{- end -}}
{{- else -}}
{{- if gt $most 1 -}}
{{- fail (printf "%d replicas of one identity: a runner's id belongs to one process at a time, a second one would wait for the first to go. Raise concurrency, install the chart once per runner, or give every replica its own id and token by identities.existingSecret" $most) -}}
{{- end -}}
{{- if not $id -}}
{{- fail "runnerId is empty: `runner runners create NAME` makes a runner and prints its id and token" -}}
{{- end -}}
{{- if and $token $v.token.existingSecret -}}
{{- fail "token.value and token.existingSecret: give one of the two" -}}
{{- end -}}
{{- if not (or $token $v.token.existingSecret) -}}
{{- fail "the token is missing: name its Secret in token.existingSecret" -}}
{{- end -}}
{{- end -}}
{{- if and (gt $most 1) $v.state.existingClaim -}}
{{- fail "state.existingClaim is one volume, and every replica needs its own: leave it out" -}}
{{- end -}}
{{- if and $v.ca.existingSecret $v.ca.existingConfigMap -}}
{{- fail "ca.existingSecret and ca.existingConfigMap: give one of the two" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) $most) -}}
{{- fail "autoscaling.minReplicas is above maxReplicas" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (eq $v.autoscaling.kind "external") (lt (int $v.autoscaling.minReplicas) 1) -}}
{{- fail "autoscaling.minReplicas is 0: an HPA keeps one pod at least, kind keda may have none" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (eq $v.autoscaling.kind "keda") (not $v.autoscaling.keda.serverAddress) -}}
{{- fail "autoscaling.keda.serverAddress is empty: give the address of the Prometheus that scrapes the coordinator" -}}
{{- end -}}
{{- range $name := list "RUNNER_API_TOKEN" "RUNNER_ADMIN_KEY" -}}
{{- if hasKey $v.settings $name -}}
{{- fail (printf "settings.%s: settings lie in a ConfigMap, which is no place for a secret; use token.existingSecret" $name) -}}
{{- end -}}
{{- end -}}
id: {{ $id | default "" | quote }}
url: {{ $url | quote }}
token: {{ $token | default "" | quote }}
tokenSecret: {{ $v.token.existingSecret | default (include "runner.fullname" .) | quote }}
tokenKey: {{ ternary $v.token.key "token" (ne $v.token.existingSecret "") | quote }}
many: {{ $many }}
replicas: {{ $replicas }}
most: {{ $most }}
mode: {{ $v.mode | default (ternary "org" "all" (hasKey $env "RUNNER_ID")) }}
rights: {{ or $v.handlers.kubejob.namespaces $v.handlers.helm.namespaces $v.handlers.manifest.namespaces $v.clusterRules | empty | not }}
resources:
  {{- $resources := omit $v.resources "limit" }}
  {{- with $v.resources.limit }}
  {{- $resources = set (deepCopy $resources) "limits" (mergeOverwrite (deepCopy ($resources.limits | default dict)) .) }}
  {{- end }}
  {{- toYaml $resources | nindent 2 }}
pool:
  {{- $own := $v.nodePool }}
  {{- if $pool.enabled }}
  {{- $type := $pool.instance_type | default dict }}
  {{- $own = mergeOverwrite (deepCopy $own) (dict "enabled" true) }}
  {{- with $pool.capacity_types }}{{ $own = set $own "capacityTypes" . }}{{ end }}
  {{- with $type.name }}{{ $own = set $own "instanceTypes" (list .) }}{{ end }}
  {{- end }}
  {{- toYaml $own | nindent 2 }}
# Of Nuon's `env`, what is left: secrets by their name go into a Secret.
{{- $secret := dict -}}
{{- $plain := dict -}}
{{- range $name, $value := omit $env "RUNNER_ID" "RUNNER_API_URL" "RUNNER_API_TOKEN" -}}
{{- if regexMatch "(TOKEN|SECRET|PASSWORD|_KEY)" (upper $name) -}}
{{- $_ := set $secret $name (toString $value) -}}
{{- else -}}
{{- $_ := set $plain $name (toString $value) -}}
{{- end -}}
{{- end }}
secretEnv: {{ toJson $secret }}
plainEnv: {{ toJson $plain }}
{{- end -}}

{{/* A Secret or ConfigMap that others made: its content, so that helm upgrade rolls the pods after a change of it. */}}
{{- define "runner.sumOf" -}}
{{- $found := lookup "v1" .kind .namespace .name | default dict -}}
{{- $found.data | default dict | toJson | sha256sum -}}
{{- end -}}
