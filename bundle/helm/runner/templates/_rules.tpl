{{/*
Rules of one handler, by its name: the requests it makes (taken from the audit log of an API server while test/e2e/helm
ran, with helm 3 and 4), and nothing else.
*/}}

{{- define "runner.rules.kubejob" -}}
- { apiGroups: [batch], resources: [jobs], verbs: [get, list, watch, create, delete] }
- { apiGroups: [""], resources: [pods], verbs: [list, watch] }
- { apiGroups: [""], resources: [pods/log], verbs: [get] }
- { apiGroups: [""], resources: [events], verbs: [list] }
{{- if .secrets }}
- { apiGroups: [""], resources: [secrets], verbs: [create, patch, delete] }
{{- end }}
{{- end -}}

{{- define "runner.rules.helm" -}}
{{- include "runner.rules.kinds" "[get, list, watch, create, patch, delete]" }}
# Releases are Secrets that helm overwrites.
- { apiGroups: [""], resources: [secrets], verbs: [update] }
# Whether the namespace is there: with create_namespace, helm may not make it, and need not.
- { apiGroups: [""], resources: [namespaces], verbs: [get] }
# Waiting, hooks, and why something is not ready.
- { apiGroups: [""], resources: [pods], verbs: [list, watch] }
- { apiGroups: [""], resources: [events], verbs: [list] }
- { apiGroups: [apps], resources: [replicasets], verbs: [list] }
{{- with .rules }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "runner.rules.manifest" -}}
{{- include "runner.rules.kinds" "[get, create, patch, delete]" }}
# Why something is not ready.
- { apiGroups: [""], resources: [pods, events], verbs: [list] }
{{- with .rules }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What usual charts and manifests hold. No roles: who may write those may give itself any right. */}}
{{- define "runner.rules.kinds" -}}
- { apiGroups: [""], resources: [configmaps, secrets, services, serviceaccounts, persistentvolumeclaims], verbs: {{ . }} }
- { apiGroups: [apps], resources: [deployments, statefulsets, daemonsets], verbs: {{ . }} }
- { apiGroups: [batch], resources: [jobs, cronjobs], verbs: {{ . }} }
- { apiGroups: [networking.k8s.io], resources: [ingresses, networkpolicies], verbs: {{ . }} }
- { apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: {{ . }} }
- { apiGroups: [policy], resources: [poddisruptionbudgets], verbs: {{ . }} }
{{- end -}}
