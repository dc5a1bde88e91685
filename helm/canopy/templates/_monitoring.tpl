{{/* The rules in a file, for this release. Their own templates, `{{ $value }}`, are Prometheus' and Loki's to fill in. */}}
{{- define "canopy.rules" -}}
{{- .root.Files.Get .file | replace "$namespace" .root.Release.Namespace | replace "$runbooks" .root.Values.monitoring.runbooks | fromYaml | toYaml }}
{{- end }}

{{/* The objects of the dashboard in a file are called so. */}}
{{- define "canopy.dashboard" -}}
canopy-dashboard-{{ base . | trimSuffix ".json" }}
{{- end }}

{{/* What a scrape is like, by whichever resource. */}}
{{- define "canopy.scrape" -}}
path: /metrics
interval: {{ .interval }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
