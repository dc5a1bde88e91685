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

{{/* What the pods of all jobs have alike, beside their containers and volumes. */}}
{{- define "canopy.jobPod" -}}
restartPolicy: Never
serviceAccountName: {{ .Values.serviceAccount.name | default "default" }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "canopy.podSecurityContext" . | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
