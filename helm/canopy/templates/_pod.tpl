{{/* The container's environment. A name that extraEnv has is left to it: no name may stand twice. */}}
{{- define "canopy.env" -}}
{{- $own := list -}}
{{- range .Values.extraEnv }}{{ $own = append $own .name }}{{ end -}}
- name: CANOPY_PORT
  value: "8000"
- name: CANOPY_OPERATIONS_PORT
  value: "8001"
{{- if eq .Values.auth.mode "proxy" }}
{{- /* Only what is in the pod reaches the server itself: the proxy. */}}
- name: CANOPY_HOST
  value: 127.0.0.1
- name: CANOPY_OPERATIONS_HOST
  value: {{ .Values.settings.host | default "0.0.0.0" | quote }}
{{- end }}
- name: CANOPY_CONFIG_PATH
  value: /canopy/canopy-config.yaml
- name: CANOPY_BANNER
  value: "false"
- name: CANOPY_RUNBOOKS
  value: {{ .Values.monitoring.runbooks | quote }}
{{- range $name, $value := .Values.settings }}
{{- if not (or (kindIs "invalid" $value) (and (eq $name "host") (eq $.Values.auth.mode "proxy"))) }}
- name: CANOPY_{{ include "canopy.givenName" (dict "root" $ "section" "settings" "key" $name) | upper }}
  value: {{ $value | toJson | trimAll "\"" | quote }}{{/* toJson: a large number would become 1e+06 */}}
{{- end }}
{{- end }}
{{- with and (not .Values.settings.public_url) (include "canopy.publicUrl" .) }}
- name: CANOPY_PUBLIC_URL
  value: {{ . | quote }}
{{- end }}
{{- include "canopy.storeEnv" . }}
{{- if eq .Values.auth.mode "token" }}
- name: CANOPY_AUTH_TOKENS_FILE
  value: /canopy-tokens/tokens.yaml
{{- end }}
{{- if eq .Values.auth.mode "proxy" }}
- name: CANOPY_AUTH_PROXY_SECRET_FILE
  value: /canopy-proxy
{{- end }}
{{- include "canopy.outwardEnv" (dict "root" . "own" $own) }}
{{- with .Values.llamaStack.existingSecret }}
{{- if and .name (not (has "LLAMA_STACK_CLIENT_API_KEY" $own)) }}
- name: LLAMA_STACK_CLIENT_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- with .Values.notificationsWebhook.existingSecret }}
{{- if and .name (not (has "CANOPY_NOTIFICATIONS_URL" $own)) }}
- name: CANOPY_NOTIFICATIONS_URL
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- with .Values.mlflowToken.existingSecret }}
{{- if and .name (not (has "CANOPY_MLFLOW_TOKEN" $own)) }}
- name: CANOPY_MLFLOW_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- with .Values.opentelemetry }}
{{- if .enabled }}
{{- /* The server makes its own spans and has its own /metrics. What the operator's image would put around libraries,
the server takes off again; named here, it isn't even loaded. */}}
{{- $variables := dict
    "OTEL_SERVICE_NAME" "canopy-backend"
    "OTEL_EXPORTER_OTLP_PROTOCOL" "http/protobuf"
    "OTEL_EXPORTER_OTLP_ENDPOINT" .endpoint
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER" "canopy"
    "OTEL_METRICS_EXPORTER" "none"
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_LOGS_CREDENTIAL_PROVIDER" "canopy"
    "OTEL_LOGS_EXPORTER" (.logs | ternary "otlp" "none")
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS" "aiohttp-client,aiohttp-server,asgi,asyncio,aws-lambda,click,exceptions,fastapi,httpx,httpx2,jinja2,logging,psycopg,requests,sqlalchemy,sqlite3,starlette,structlog,system_metrics,threading,urllib,urllib3" }}
{{- range $name, $value := $variables }}
{{- if and $value (not (has $name $own)) }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- range .Values.extraEnv }}
{{- $variable := deepCopy . }}
{{- if not (or (kindIs "invalid" .value) (kindIs "string" .value)) }}{{/* a number or truth, which Kubernetes takes as text */}}
{{- $_ := set $variable "value" (toJson .value) }}
{{- end }}
- {{ toYaml $variable | nindent 2 | trim }}
{{- end }}
{{- end }}

{{/*
Arguments that the chart decides for the proxies that it knows, as a map in JSON: no tunnels to the server, the user and the
secret with each request, and no header that the server reads left to whoever asks.
*/}}
{{- define "canopy.proxyArguments" -}}
{{- $kind := .Values.authProxy.kind -}}
{{- $known := dict "proxy-websockets" "false" "pass-basic-auth" "true" "pass-user-headers" "true" -}}
{{- $oauth2 := dict "prefer-email-to-user" "false" "skip-auth-strip-headers" "true" -}}
{{- $known = eq $kind "oauth2-proxy" | ternary (merge $oauth2 $known) $known -}}
{{ toJson (eq $kind "other" | ternary dict $known) }}
{{- end }}

{{/*
The proxy. As a sidecar of Kubernetes' own kind it starts before the server and ends after it, so that a pod that ends
cuts no stream. Its Secret is there as variables, for oauth2-proxy, and as files, for OpenShift's oauth-proxy.
*/}}
{{- define "canopy.authProxy" -}}
- name: auth-proxy
  image: {{ .Values.authProxy.image | quote }}
  imagePullPolicy: IfNotPresent
  restartPolicy: Always
  {{- $args := list }}{{/* the chart's own first: a word that is no flag ends the reading of flags */}}
  {{- range $name, $value := fromJson (include "canopy.proxyArguments" .) }}
  {{- $args = append $args (printf "--%s=%s" $name $value) }}
  {{- end }}
  {{- if eq .Values.authProxy.kind "openshift" }}{{/* which reads the password from nowhere else */}}
  {{- $args = append $args "--basic-auth-password=$(PROXY_SECRET)" }}
  {{- end }}
  {{- with concat $args (.Values.authProxy.args | default list) }}
  args:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
  - {name: proxy, containerPort: {{ .Values.authProxy.port }}, protocol: TCP}
  envFrom:
  - secretRef: {name: {{ .Values.authProxy.existingSecret.name }}}
  env:
  - name: {{ eq .Values.authProxy.kind "oauth2-proxy" | ternary "OAUTH2_PROXY_BASIC_AUTH_PASSWORD" "PROXY_SECRET" }}
    valueFrom:
      secretKeyRef:
        name: {{ .Values.authProxy.existingSecret.name }}
        key: {{ .Values.authProxy.existingSecret.secretKey }}
  {{- include "canopy.outwardEnv" (dict "root" . "own" list) | nindent 2 }}
  readinessProbe:
    tcpSocket: {port: proxy}
    periodSeconds: 5
    timeoutSeconds: 3
    failureThreshold: 2
  resources:
    {{- toYaml .Values.authProxy.resources | nindent 4 }}
  securityContext:
    {{- include "canopy.containerSecurityContext" . | nindent 4 }}
  volumeMounts:
  - {name: auth-proxy, mountPath: /etc/auth-proxy, readOnly: true}
  {{- include "canopy.caMount" . | nindent 2 }}
  {{- with .Values.authProxy.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/*
Takes root, the container that `kubectl logs` shows and, for the server's pods, scraped. Environment, image and volumes stand in the pod template, so a change of them rolls out by itself. What is in the
ConfigMap the server reloads; a hash of it would only restart pods that don't need it.
*/}}
{{- define "canopy.podAnnotations" -}}
{{- $annotations := dict "kubectl.kubernetes.io/default-container" .container -}}
{{- $canopy := eq .container "canopy" -}}
{{- if and $canopy (eq .root.Values.config.rollout "restart") -}}
{{- $_ := set $annotations "checksum/config" (include "canopy.config" .root | sha256sum) -}}
{{- end -}}
{{- if and $canopy .root.Values.opentelemetry.enabled -}}
{{- $_ := set $annotations "instrumentation.opentelemetry.io/inject-python" .root.Values.opentelemetry.instrumentation -}}
{{- $_ := set $annotations "instrumentation.opentelemetry.io/container-names" "canopy" -}}
{{- end -}}
{{- if and .scraped .root.Values.scrapeAnnotations.enabled -}}
{{- $_ := set $annotations "prometheus.io/scrape" "true" -}}
{{- $_ := set $annotations "prometheus.io/port" "8001" -}}
{{- $_ := set $annotations "prometheus.io/path" "/metrics" -}}
{{- end -}}
{{ toYaml (merge (dict) (.root.Values.podAnnotations | default dict) (.root.Values.annotations | default dict) $annotations) }}
{{- end }}
