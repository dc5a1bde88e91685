{{/*
How containers reach others: through a proxy, and which certificates they trust. Takes root and own, the names that one's own
variables have already. Each name stands in both letters, as programs differ in which they read.
*/}}
{{- define "canopy.outwardEnv" -}}
{{- $variables := dict -}}
{{- with .root.Values.proxy -}}
{{- if or .http .https -}}
{{- $variables = dict "HTTP_PROXY" .http "HTTPS_PROXY" .https "NO_PROXY" (include "canopy.noProxy" $.root) -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := deepCopy $variables -}}
{{- $_ := set $variables (lower $name) $value -}}
{{- end -}}
{{- if include "canopy.caBundle" .root -}}
{{- range $name := list "SSL_CERT_FILE" "REQUESTS_CA_BUNDLE" "CURL_CA_BUNDLE" "AWS_CA_BUNDLE" -}}
{{- $_ := set $variables $name "/canopy-ca/ca-bundle.crt" -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := $variables }}
{{- if and $value (not (has $name $.own)) }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* What is asked for without a proxy: the pod itself, Services, and what the values say. YAML reads `no` as false. */}}
{{- define "canopy.noProxy" -}}
{{- $names := list "localhost" "127.0.0.1" "::1" ".svc" ".cluster.local" -}}
{{- with .Values -}}
{{- range list .LLAMA_STACK_URL .MODEL_URL .mlflow.url .notifications.url .opentelemetry.endpoint .networkPolicy.to.identityProvider -}}
{{- $host := (urlParse (. | default "")).hostname -}}
{{- if and $host (not (contains "." $host)) (not (contains ":" $host)) }}{{ $names = append $names $host }}{{ end -}}
{{- end -}}
{{- concat $names (.proxy.no | default list) (get .proxy "false" | default list) | uniq | join "," -}}
{{- end -}}
{{- end }}

{{/* Whether there has to be a file of certificates: for authorities of one's own, or for PostgreSQL's. */}}
{{- define "canopy.caBundle" -}}
{{- if or .Values.caBundle.configMap (and .Values.store.postgresql.host (hasPrefix "verify" .Values.store.postgresql.sslMode)) -}}
true
{{- end -}}
{{- end }}

{{/* What makes that file, before anything that reads it. */}}
{{- define "canopy.caContainer" -}}
- name: ca-bundle
  image: {{ include "canopy.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [python3, -c]
  args:
  - |
    {{- .Files.Get "files/ca_bundle.py" | nindent 4 }}
  - /canopy-ca/ca-bundle.crt
  {{- if .Values.caBundle.configMap }}
  - /canopy-ca-own/ca.crt
  {{- end }}
  resources:
    requests: {cpu: 10m, memory: 32Mi}
    limits: {memory: 128Mi}
  securityContext:
    {{- include "canopy.containerSecurityContext" . | nindent 4 }}
  volumeMounts:
  - {name: canopy-ca, mountPath: /canopy-ca}
  {{- if .Values.caBundle.configMap }}
  - {name: canopy-ca-own, mountPath: /canopy-ca-own, readOnly: true}
  {{- end }}
{{- end }}

{{- define "canopy.caMount" -}}
{{- if include "canopy.caBundle" . }}
- {name: canopy-ca, mountPath: /canopy-ca, readOnly: true}
{{- end }}
{{- end }}

{{- define "canopy.caVolumes" -}}
{{- if include "canopy.caBundle" . }}
- name: canopy-ca
  emptyDir: {sizeLimit: 16Mi}
{{- with .Values.caBundle }}
{{- if .configMap }}
- name: canopy-ca-own
  configMap: {name: {{ .configMap }}, items: [{key: {{ .key }}, path: ca.crt}]}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* PostgreSQL's address from its parts: without the password, which is a variable of its own. */}}
{{- define "canopy.postgresqlUrl" -}}
{{- with .Values.store.postgresql -}}
{{- $host := contains ":" .host | ternary (printf "[%s]" .host) .host -}}
{{- $ca := hasPrefix "verify" .sslMode | ternary "&sslrootcert=/canopy-ca/ca-bundle.crt" "" -}}
postgresql://{{ .user | urlquery | replace "+" "%20" }}@{{ $host }}:{{ int .port }}/{{ .database }}?sslmode={{ .sslMode }}{{ $ca }}
{{- end -}}
{{- end }}

{{/* How a process finds the store. */}}
{{- define "canopy.storeEnv" -}}
{{- with .Values.store }}
- name: CANOPY_STORE_URL
{{- if eq .engine "sqlite" }}
  value: sqlite:////data/canopy.db
{{- else if .postgresql.host }}
  value: {{ include "canopy.postgresqlUrl" $ | quote }}
{{- with .postgresql.existingSecret }}
{{- if .name }}
- name: PGPASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- else }}
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret.name }}
      key: {{ .existingSecret.key }}
{{- end }}
{{- end }}
{{- end }}
