{{/* Which controller an Ingress is for: the one that the values name, or else that which its class is called after. */}}
{{- define "canopy.ingressController" -}}
{{- $found := .controller -}}
{{- range $name, $called := dict
    "openshift" "openshift" "haproxy" "haproxy" "alb" "^alb" "azure" "azure|appgw" "contour" "contour"
    "none" "traefik|kong|gce|istio|cilium" -}}
{{- if and (not $found) (regexMatch $called $.className) }}{{ $found = $name }}{{ end -}}
{{- end -}}
{{ $found | default "nginx" }}
{{- end }}

{{/*
What the controller of an Ingress has to be told, as a map in JSON: most give up after 30 to 60 s of silence, and an answer that
isn't streamed comes all at once; ingress-nginx takes bodies up to 1 MiB. Two controllers share a class's name: each reads its own.
*/}}
{{- define "canopy.ingressAnnotations" -}}
{{- $seconds := include "canopy.gracePeriod" . -}}
{{- $timeout := printf "%ss" $seconds -}}
{{- $bytes := .Values.settings.max_body_bytes | default 1000000 | int64 | toString -}}
{{- $all := dict
    "nginx" (dict
      "nginx.ingress.kubernetes.io/proxy-read-timeout" $seconds
      "nginx.ingress.kubernetes.io/proxy-body-size" $bytes
      "nginx.org/proxy-read-timeout" $timeout
      "nginx.org/client-max-body-size" $bytes)
    "openshift" (dict "haproxy.router.openshift.io/timeout" $timeout)
    "haproxy" (dict "haproxy.org/timeout-server" $timeout "haproxy-ingress.github.io/timeout-server" $timeout)
    "alb" (dict
      "alb.ingress.kubernetes.io/load-balancer-attributes" (printf "idle_timeout.timeout_seconds=%s" $seconds)
      "alb.ingress.kubernetes.io/target-type" "ip")
    "azure" (dict "appgw.ingress.kubernetes.io/request-timeout" $seconds)
    "contour" (dict "projectcontour.io/response-timeout" $timeout)
    "none" dict -}}
{{ get $all (include "canopy.ingressController" .Values.ingress) | toJson }}
{{- end }}

{{/*
Where people reach the server, where the values say it: a Route without a host gets one in the cluster, and whether a Gateway has
TLS its own listeners know. One of several names is as good as another.
*/}}
{{- define "canopy.publicUrl" -}}
{{- $host := first (.Values.ingress.hosts | default list) | default "" -}}
{{- if and .Values.route.enabled .Values.route.host -}}
https://{{ .Values.route.host }}
{{- else if and .Values.ingress.enabled $host (not (hasPrefix "*" $host)) -}}
{{ empty .Values.ingress.tlsSecret | ternary "http" "https" }}://{{ $host }}
{{- end -}}
{{- end }}
