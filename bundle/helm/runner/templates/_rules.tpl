{{/* Rules of one handler, by its name: what it asks of the cluster, and nothing else. Each is proved by test/e2e/helm. */}}

{{- define "runner.rules.kubejob" -}}
- { apiGroups: [batch], resources: [jobs], verbs: [get, list, watch, create, delete] }
- { apiGroups: [""], resources: [pods, pods/log, events], verbs: [get, list, watch] }
{{- if .secrets }}
- { apiGroups: [""], resources: [secrets], verbs: [create, patch, delete] }
{{- end }}
{{- end -}}

{{/* Releases lie in Secrets; the rest is what usual charts hold. No roles: who may write those may give itself any right. */}}
{{- define "runner.rules.helm" -}}
{{- include "runner.rules.kinds" (dict "verbs" "[get, list, watch, create, update, patch, delete]") }}
{{- with .rules }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "runner.rules.manifest" -}}
{{- include "runner.rules.kinds" (dict "verbs" "[get, list, create, patch, delete]") }}
{{- with .rules }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "runner.rules.kinds" -}}
- apiGroups: [""]
  resources: [configmaps, secrets, services, serviceaccounts, persistentvolumeclaims]
  verbs: {{ .verbs }}
- { apiGroups: [apps], resources: [deployments, statefulsets, daemonsets], verbs: {{ .verbs }} }
- { apiGroups: [batch], resources: [jobs, cronjobs], verbs: {{ .verbs }} }
- { apiGroups: [networking.k8s.io], resources: [ingresses, networkpolicies], verbs: {{ .verbs }} }
- { apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: {{ .verbs }} }
- { apiGroups: [policy], resources: [poddisruptionbudgets], verbs: {{ .verbs }} }
# Read only: why something is not ready.
- { apiGroups: [""], resources: [pods, events], verbs: [get, list, watch] }
- { apiGroups: [apps], resources: [replicasets], verbs: [get, list, watch] }
{{- end -}}
