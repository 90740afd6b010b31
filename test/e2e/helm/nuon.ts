/** What a Nuon control plane gives to the chart of its runner (nuon-ops.md section 3.1), and a stand-in for that chart. */
export const valuesOfNuon = (of: { id: string; token: string; url: string; name: string }) => ({
  env: {
    RUNNER_ID: of.id,
    RUNNER_API_TOKEN: of.token,
    RUNNER_API_URL: of.url,
    SETTINGS_REFRESH_TIMEOUT: "5s",
  },
  image: { repository: "localhost/runner", tag: "1" },
  serviceAccount: {
    name: of.name,
    annotations: { "eks.amazonaws.com/role-arn": `arn:aws:iam::1:role/orgs/${of.name}` },
  },
  node_pool: { enabled: true, instance_type: { name: "t3a.large" } },
});

/** The objects that section 3.2 names, with the properties that matter for leaving them: all of `env` in a ConfigMap. */
export const OLD = `apiVersion: v1
kind: ConfigMap
metadata: { name: "{{ .Release.Name }}" }
data: {{- toYaml .Values.env | nindent 2 }}
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: "{{ .Values.serviceAccount.name }}" }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: "{{ .Release.Name }}" }
spec:
  selector: { matchLabels: { app: runner } }
  template:
    metadata: { labels: { app: runner } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: runner
          image: localhost/bb:1
          imagePullPolicy: Never
          command: [sleep, infinity]
          envFrom: [{ configMapRef: { name: "{{ .Release.Name }}" } }]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: "{{ .Release.Name }}" }
spec:
  minReplicas: 1
  maxReplicas: 1
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: "{{ .Release.Name }}" }
`;
