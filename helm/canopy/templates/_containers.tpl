{{/*
Containers of one's own, as restricted as the chart's: what the values may say of it (`canopy.config.chart.extras`) makes none less
restricted, so that it counts more. Only their root file system may be one that they write.
*/}}
{{- define "canopy.containers" -}}
{{- $restricted := fromYaml (include "canopy.containerSecurityContext" .) -}}
{{- $containers := list -}}
{{- range . -}}
{{- $containers = append $containers (merge (dict "securityContext" (mergeOverwrite (dict) $restricted (.securityContext | default dict))) .) -}}
{{- end -}}
{{ toYaml $containers }}
{{- end }}

{{/* What runs before a container, or beside it: what makes the certificates, the containers of one's own, then the proxy. */}}
{{- define "canopy.initContainers" -}}
{{- if include "canopy.caBundle" .root }}
{{ include "canopy.caContainer" .root }}
{{- end }}
{{- with .root.Values.initContainers }}
{{ include "canopy.containers" . }}
{{- end }}
{{- if .proxy }}
{{ include "canopy.authProxy" .root }}
{{- end }}
{{- end }}

{{/*
What all pods have alike, beside their containers and volumes: whose they are, and where they may run. Takes root and, for a pod
that has to be somewhere, its affinity.
*/}}
{{- define "canopy.pod" -}}
{{- with .root.Values -}}
serviceAccountName: {{ .serviceAccount.name | default "default" }}
automountServiceAccountToken: false
enableServiceLinks: false  # a Service called `canopy` would set CANOPY_PORT
{{- with .imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "canopy.podSecurityContext" $.root | nindent 2 }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $.affinity | default .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* The metadata of a job's pod. Takes root, the name that it goes by, and its container. */}}
{{- define "canopy.jobMetadata" -}}
labels:
  {{- /* Not the backend's name: the Service must send no requests here. */}}
  {{- $fixed := dict "app.kubernetes.io/name" .name "app.kubernetes.io/instance" .root.Release.Name }}
  {{- include "canopy.labels" (dict "root" .root "fixed" $fixed "labels" .root.Values.podLabels "pod" true) | nindent 2 }}
annotations:
  {{- include "canopy.podAnnotations" (dict "root" .root "container" .container) | nindent 2 }}
{{- end }}

{{/*
Where the copy of a SQLite store is made: where the server is, as its volume is there alone; while there is none, where its own
kind is. What keeps pods apart from the server is left out, or none would ever be made.
*/}}
{{- define "canopy.besideTheServer" -}}
{{- $affinity := omit (deepCopy .Values.affinity) "podAntiAffinity" -}}
{{- $names := dict "key" "app.kubernetes.io/name" "operator" "In" "values" (list "canopy-backend" "canopy-backend-backup") -}}
{{- $selector := dict "matchLabels" (dict "app.kubernetes.io/instance" .Release.Name) "matchExpressions" (list $names) -}}
{{- $pods := $affinity.podAffinity | default dict -}}
{{- $required := $pods.requiredDuringSchedulingIgnoredDuringExecution | default list -}}
{{- $required = append $required (dict "topologyKey" "kubernetes.io/hostname" "labelSelector" $selector) -}}
{{- $pods = merge (dict "requiredDuringSchedulingIgnoredDuringExecution" $required) $pods -}}
{{ toYaml (merge (dict "podAffinity" $pods) $affinity) }}
{{- end }}
