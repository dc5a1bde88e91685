{{/* The metadata of an object. Takes root, kind, name and, optionally, labels and annotations of the object alone. */}}
{{- define "canopy.metadata" -}}
{{- $all := .root.Values.metadata | default dict -}}
{{- $own := merge (dict) (get $all (printf "%s/%s" .kind .name) | default dict) (get $all .kind | default dict) -}}
name: {{ .name }}
labels:
  {{- include "canopy.labels" (dict "root" .root "fixed" .fixed "labels" (merge (dict) (.labels | default dict) ($own.labels | default dict)) "pod" false) | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) ($own.annotations | default dict) (.root.Values.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What the Service, the Deployment and all that point at the pods select by. It may never change. */}}
{{- define "canopy.selector" -}}
app.kubernetes.io/name: canopy-backend
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels: the selector's are fixed, then the object's own, then those of every object, then the usual ones. */}}
{{- define "canopy.labels" -}}
{{- $usual := dict
    "app.kubernetes.io/version" .root.Chart.AppVersion
    "app.kubernetes.io/managed-by" .root.Release.Service
    "helm.sh/chart" (printf "%s-%s" .root.Chart.Name (.root.Chart.Version | replace "+" "_")) -}}
{{- $usual = .pod | ternary (dict) $usual -}}{{/* a new version of the chart alone restarts no pod */}}
{{- $_ := set $usual "app.kubernetes.io/part-of" "canopy" -}}
{{- $selector := fromYaml (include "canopy.selector" .root) -}}
{{ toYaml (merge (dict) (.fixed | default $selector) (.labels | default dict) (.root.Values.labels | default dict) $usual) }}
{{- end }}

{{- define "canopy.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{/*
What the server's values file holds: each value as JSON, which every YAML loader reads alike. toYaml would change some on
their way: it writes 0.000001 as 1e-06, which is text for the server's loader, and a next-line character as it is.
*/}}
{{- define "canopy.config" -}}
{{- include "canopy.ownNames" . }}
{{- with .Values.LLAMA_STACK_URL }}
LLAMA_STACK_URL: {{ include "canopy.json" . }}
{{- end }}
judges: {{ include "canopy.json" .Values.judges }}
{{- range $name := list "information-search" "student-assistant" "socratic-tutor" "shields" "MLFLOW_TRACKING_URI" }}
{{- if not (kindIs "invalid" (index $.Values $name)) }}{{/* what is in it is for others, and may be secret */}}
{{ $name }}: {}
{{- end }}
{{- end }}
{{- range $section := list "summarize" "feedback" "ab_testing" "mlflow" "judging" "auth" "rate_limits" "metrics" "notifications" }}
{{- /* The server says what to write in the file, and names the section as the file does. */}}
{{ and (eq $section "summarize") (not (empty $.Values.summarization)) | ternary "summarization" $section }}:
{{- range $key, $value := eq $section "auth" | ternary (fromJson (include "canopy.auth" $)) (get $.Values $section) }}
{{- if not (kindIs "invalid" $value) }}{{/* Helm 3 leaves keys without a value out, Helm 4 doesn't */}}
  {{ include "canopy.givenName" (dict "root" $ "section" $section "key" $key) }}: {{ include "canopy.json" $value }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.prices }}
prices:
{{- range $model, $price := . }}
{{- if $price }}
  {{ quote $model }}:
{{- range $key, $value := $price }}
{{- if not (kindIs "invalid" $value) }}
    {{ $key }}: {{ include "canopy.json" $value }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.features }}
features:
{{- range $name, $block := . }}
{{- if $block }}
  {{ quote $name }}:
{{- range $key, $value := $block }}
{{- if not (kindIs "invalid" $value) }}
    {{ $key }}: {{ include "canopy.json" $value }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/*
The headers that each proxy sets and takes from clients, as a map in JSON. Of another proxy the chart can't know.
*/}}
{{- define "canopy.vouchedHeaders" -}}
{{- $oauth2 := dict "user_header" "x-forwarded-user x-forwarded-email x-forwarded-preferred-username" -}}
{{- $_ := merge $oauth2 (dict "email_header" "x-forwarded-email" "groups_header" "x-forwarded-groups") -}}
{{- $openshift := dict "user_header" "x-forwarded-user x-forwarded-email" -}}
{{ toJson (get (dict "oauth2-proxy" $oauth2 "openshift" $openshift) .Values.authProxy.kind | default dict) }}
{{- end }}

{{/*
The section `auth` as JSON, with the headers of the proxy that `authProxy.kind` names. oauth2-proxy sets the address and the
groups and takes away what clients send of them; OpenShift's oauth-proxy does neither, so nothing is added for it.
*/}}
{{- define "canopy.auth" -}}
{{- $auth := deepCopy .Values.auth -}}
{{- if and (eq $auth.mode "proxy") (eq .Values.authProxy.kind "oauth2-proxy") -}}
{{- range $key, $header := dict "email_header" "X-Forwarded-Email" "groups_header" "X-Forwarded-Groups" -}}
{{- if not (or (get $auth $key) (eq (lower $auth.user_header) (lower $header))) -}}
{{- $_ := set $auth $key $header -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ toJson $auth }}
{{- end }}

{{/* JSON that is YAML too: what YAML has otherwise is escaped, and a number with an exponent has a point. */}}
{{- define "canopy.json" -}}
{{- $json := toRawJson . | replace "\u0085" "\\u0085" | replace "\ufeff" "\\ufeff" | replace "\u007f" "\\u007f" -}}
{{- regexReplaceAll "^([0-9]+)e" $json "${1}.0e" -}}
{{- end }}

{{/* restricted-v2. OpenShift gives each namespace its users and groups; elsewhere a group has to own the volume. */}}
{{- define "canopy.podSecurityContext" -}}
{{- $openshift := or (eq .Values.platform "openshift") (and (eq .Values.platform "auto") (.Capabilities.APIVersions.Has "security.openshift.io/v1")) -}}
{{- $fixed := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- $group := $openshift | ternary (dict) (dict "fsGroup" 1001 "fsGroupChangePolicy" "OnRootMismatch") -}}
{{ toYaml (merge $fixed .Values.podSecurityContext $group) }}
{{- end }}

{{- define "canopy.containerSecurityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsNonRoot: true
{{- end }}

{{/* Seconds that open streams get to finish. The ways in wait as long for an answer. */}}
{{- define "canopy.gracePeriod" -}}
{{- ceil (.Values.settings.grace_period_seconds | default 60) | int -}}
{{- end }}

{{/*
What egress never includes: link-local addresses, among them the metadata service that gives out a cloud's credentials, the
addresses of such services elsewhere, and what a translator (NAT64) takes for one of these. DNS on a node's own address has a rule of its own.
*/}}
{{- define "canopy.metadataV4" -}}
169.254.0.0/16 100.100.100.200/32 168.63.129.16/32 192.0.0.192/32
{{- end }}
{{- define "canopy.metadataV6" -}}
fe80::/10 fd00:ec2::254/128 fd20:ce::254/128 fd00:c1::a9fe:a9fe/128 fd00:42::42/128 64:ff9b::a9fe:0/112 64:ff9b::6464:64c8/128 64:ff9b::a83f:8110/128 64:ff9b::c000:c0/128
{{- end }}

{{/* An address as its bits, 32 or 128 of 0 and 1, however it is written. Nothing for what is no address. */}}
{{- define "canopy.bits" -}}
{{- $address := lower . -}}
{{- $hex := "[0-9a-f]{1,4}(:[0-9a-f]{1,4})*" -}}
{{- $octet := "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])" -}}
{{- if regexMatch (printf "^(%s)?(::(%s)?)?$" $hex $hex) $address -}}
{{- $halves := splitList "::" $address -}}
{{- $groups := without (splitList ":" (first $halves)) "" -}}
{{- if gt (len $halves) 1 -}}
{{- $groups = concat (append $groups "") (without (splitList ":" (last $halves)) "") -}}
{{- end -}}
{{- $missing := sub 9 (len $groups) | int -}}
{{- if eq (len $groups) 8 | or (and (gt (len $halves) 1) (gt $missing 0)) -}}
{{- range $groups -}}
{{- if . }}{{ printf "0x%s" . | int64 | printf "%016b" }}{{ else }}{{ repeat (mul 16 $missing | int) "0" }}{{ end -}}
{{- end -}}
{{- end -}}
{{- else if regexMatch (printf "^%s([.]%s){3}$" $octet $octet) $address -}}
{{- range splitList "." $address }}{{ int64 . | printf "%08b" }}{{ end -}}
{{- end -}}
{{- end }}

{{/* The bits of a block that its prefix counts, which all its addresses have in common. Nothing for what is no block. */}}
{{- define "canopy.prefixBits" -}}
{{- $parts := splitList "/" . -}}
{{- $bits := include "canopy.bits" (first $parts) -}}
{{- trunc (eq (len $parts) 1 | ternary (len $bits) (last $parts | int)) $bits -}}
{{- end }}

{{/*
The same of a block that the NetworkPolicy is to have. It fails for what is no address, and for an IPv4 address that is
written as one of IPv6: no packet ever has one, so that a rule for it would let out to nowhere.
*/}}
{{- define "canopy.blockBits" -}}
{{- $address := first (splitList "/" .) -}}
{{- if not (include "canopy.bits" $address) -}}
{{- if contains ":" $address -}}
{{- fail (printf "networkPolicy has %s, which is no address of IPv6. Write IPv4 addresses as such." $address) -}}
{{- end -}}
{{- fail (printf "networkPolicy has %s, which is no address of IPv4. Write it as four numbers, without zeros before them." $address) -}}
{{- end -}}
{{- include "canopy.prefixBits" . -}}
{{- end }}

{{/* An ipBlock without what egress never includes. It fails for a block that is nothing else. */}}
{{- define "canopy.ipBlock" -}}
{{- $block := deepCopy . -}}
{{- $bits := include "canopy.blockBits" .cidr -}}
{{- if and (contains ":" .cidr) (not (hasPrefix (repeat 127 "0") $bits)) (or (hasPrefix (repeat 96 "0") $bits) (hasPrefix (print (repeat 80 "0") (repeat 16 "1")) $bits)) -}}
{{- fail (printf "networkPolicy has %s, which is IPv4 written as IPv6. Write IPv4 addresses as such." .cidr) -}}
{{- end -}}
{{- range splitList " " (include (contains ":" .cidr | ternary "canopy.metadataV6" "canopy.metadataV4") nil) }}
{{- $its := include "canopy.blockBits" . -}}
{{- if hasPrefix $its $bits }}
{{- fail (printf "networkPolicy lets nobody out to %s: %s is where clouds give out credentials. Name another address." $block.cidr .) }}
{{- end }}
{{- if hasPrefix $bits $its }}
{{- $_ := set $block "except" (append ($block.except | default list) . | uniq) }}
{{- end }}
{{- end }}
{{- toJson $block -}}
{{- end }}

{{/*
Refuses values that name a cloud's metadata service as a server, in any form of its address. The server itself refuses the
same (`canopy.config.server_urls`), but of the collector it isn't told.
*/}}
{{- define "canopy.checkServers" -}}
{{- range $name, $url := dict "LLAMA_STACK_URL" .LLAMA_STACK_URL "MODEL_URL" .MODEL_URL "summarization.endpoint" (.summarization | default dict).endpoint "mlflow.url" .mlflow.url "notifications.url" .notifications.url "opentelemetry.endpoint" .opentelemetry.endpoint "proxy.http" .proxy.http "proxy.https" .proxy.https }}
{{- with $url }}
{{- $host := (urlParse .).hostname | lower -}}
{{- $numeric := regexMatch "^(.*[.])?(0x[0-9a-f]*|[0-9]+)[.]?$" $host -}}
{{- $octet := "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])" -}}
{{- if and $numeric (not (contains ":" $host)) (not (regexMatch (printf "^%s([.]%s){3}$" $octet $octet) $host)) }}
{{- fail (printf "`%s`: has its address in a form that hides where it leads; write it as four decimal numbers." $name) }}
{{- end }}
{{- $host = trimSuffix "." $host -}}
{{- $four := regexMatch "^(169[.]254[.].*|100[.]100[.]100[.]200|168[.]63[.]129[.]16)$" $host -}}
{{- $six := regexMatch "^(fe[89ab][0-9a-f]:.*|fd00:0?ec2:.*:0?254|fd20:(00)?ce:.*:0?254)$" $host -}}
{{- $inside := regexMatch "^(0*:.*|64:ff9b:.*|2002:.*)(a9fe|169[.]254|6464:0?64c8|100[.]100[.]100[.]200|a83f:8110|168[.]63[.]129[.]16)" $host -}}
{{- $named := regexMatch "^(instance-data|instance-data[.]ec2[.]internal|metadata|metadata[.]goog|metadata[.]google[.]internal|metadata[.]tencentyun[.]com)$" $host -}}
{{- if or $four $six $inside $named }}
{{- fail (printf "`%s`: leads to where clouds give out credentials, or to no farther than a link; name the server itself." $name) }}
{{- end }}
{{- $bits := include "canopy.bits" $host -}}
{{- $mapped := or (hasPrefix (repeat 96 "0") $bits) (hasPrefix (print (repeat 80 "0") (repeat 16 "1")) $bits) -}}
{{- if and (contains ":" $host) (or (contains "." $host) (and $mapped (not (hasPrefix (repeat 127 "0") $bits)))) (has $name (list "LLAMA_STACK_URL" "MODEL_URL" "summarization.endpoint" "mlflow.url" "notifications.url")) }}
{{- fail (printf "`%s`: is IPv4 written as IPv6; write it as IPv4." $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* An egress rule to DNS: kube-dns listens on 53, OpenShift's pods on 5353, and a node's own cache on an address of the node. */}}
{{- define "canopy.egressToDns" -}}
- ports:
  {{- range list 53 5353 }}
  - {protocol: UDP, port: {{ . }}}
  - {protocol: TCP, port: {{ . }}}
  {{- end }}
  to:
  - namespaceSelector:
      matchExpressions:
      - {key: kubernetes.io/metadata.name, operator: In, values: [kube-system, openshift-dns]}
  - ipBlock: {cidr: 169.254.20.10/32}
{{- end }}

{{/* Egress rules as Kubernetes writes them, without what egress never includes; a rule without `to` would be to everywhere. */}}
{{- define "canopy.extraEgress" -}}
{{- $rules := list -}}
{{- range . }}
{{- $to := list -}}
{{- range .to | default (list (dict "namespaceSelector" dict) (dict "ipBlock" (dict "cidr" "0.0.0.0/0")) (dict "ipBlock" (dict "cidr" "::/0"))) }}
{{- $to = append $to (hasKey . "ipBlock" | ternary (dict "ipBlock" (include "canopy.ipBlock" (.ipBlock | default (dict "cidr" "0.0.0.0/0")) | fromJson)) .) }}
{{- end }}
{{- $rules = append $rules (merge (dict "to" $to) (omit . "to")) }}
{{- end }}
{{- toYaml $rules -}}
{{- end }}

{{/*
An egress rule for an address. A bare name is a Service of the own namespace, `name.namespace.svc…` one of another, and
anything else is outside the cluster; `name.namespace` could be either, so it is both.
*/}}
{{- define "canopy.egress" -}}
{{- $url := urlParse . -}}
{{- $host := $url.hostname -}}
{{- $parts := splitList "." $host -}}
{{- $default := dict "http" 80 "https" 443 "postgresql" 5432 -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (get $default $url.scheme) -}}
- ports:
  - {protocol: TCP, port: {{ $port }}}
  to:
  {{- if regexMatch "^[0-9.]+$" $host }}
  - ipBlock: {{ include "canopy.ipBlock" (dict "cidr" (printf "%s/32" $host)) }}
  {{- else if contains ":" $host }}
  - ipBlock: {{ include "canopy.ipBlock" (dict "cidr" (printf "%s/128" $host)) }}
  {{- else if eq (len $parts) 1 }}
  - podSelector: {}
  {{- else }}
  {{- $inside := and (gt (len $parts) 2) (eq (index $parts 2) "svc") }}
  {{- if or $inside (eq (len $parts) 2) }}
  - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ index $parts 1 }}}}
  {{- end }}
  {{- if not $inside }}
  - ipBlock: {{ include "canopy.ipBlock" (dict "cidr" "0.0.0.0/0") }}
  - ipBlock: {{ include "canopy.ipBlock" (dict "cidr" "::/0") }}
  {{- end }}
  {{- end }}
{{- end }}

{{/*
Why A/B testing is off although the values enable it, as the server says it (`canopy.config.flags`); else nothing. It is on where
the variants of one feature can be compared, and otherwise off for what the first feature lacks that is on.
*/}}
{{- define "canopy.abTestingOff" -}}
{{- if .Values.ab_testing.enabled }}
{{- $defaults := get ($.Files.Get "files/summarize.json" | fromJson) (.Values.LLAMA_STACK_URL | empty | ternary "embedded" "server") }}
{{- $blocks := list (merge (dict "section" "summarize") (.Values.summarize.prompt | empty | ternary (dict "prompt" $defaults.prompt) (dict)) .Values.summarize) }}
{{- range $name, $block := .Values.features }}
{{- if $block }}{{ $blocks = append $blocks (merge (dict "section" (printf "features.%s" $name)) $block) }}{{ end }}
{{- end }}
{{- $works := false }}
{{- $reasons := list }}
{{- range $block := $blocks }}
{{- $off := eq (toString $block.enabled) "false" }}
{{- $missing := list }}
{{- if $off }}{{ $missing = append $missing (printf "`%s.enabled: true`" $block.section) }}{{ end }}
{{- if not $.Values.feedback.enabled }}{{ $missing = append $missing "`feedback.enabled: true`" }}{{ end }}
{{- $given := list }}
{{- $differs := false }}
{{- $embedded := false }}
{{- if trim ($block.prompt_b | default "") }}
{{- $given = append $given "prompt" }}
{{- $differs = ne $block.prompt $block.prompt_b }}
{{- end }}
{{- if not (kindIs "invalid" $block.model_b) }}
{{- $given = append $given "model" }}
{{- $other := ne $block.model_b (dig "model" "" $block | default $.Values.summarize.model) }}
{{- if and $other (empty $.Values.LLAMA_STACK_URL) }}{{ $embedded = true }}{{ else if $other }}{{ $differs = true }}{{ end }}
{{- end }}
{{- range $key := list "temperature" "max_tokens" }}
{{- $own := index $block (printf "%s_b" $key) }}
{{- if not (kindIs "invalid" $own) }}
{{- $given = append $given $key }}
{{- $current := get $defaults $key }}
{{- range list (index $.Values.summarize $key) (index $block $key) }}{{ if not (kindIs "invalid" .) }}{{ $current = . }}{{ end }}{{ end }}
{{- if ne (float64 $own) (float64 $current) }}{{ $differs = true }}{{ end }}
{{- end }}
{{- end }}
{{- if not $given }}{{ $missing = append $missing (printf "a challenger, such as a prompt in `%s.prompt_b`" $block.section) }}{{ end }}
{{- $reason := "" }}
{{- if $missing }}
{{- $reason = printf "`ab_testing.enabled` is true, but it needs %s as well." (join " and " $missing) }}
{{- else if $differs }}
{{- $works = true }}
{{- else if eq (join " " $given) "prompt" }}
{{- $reason = printf "`%s.prompt` and `%s.prompt_b` are the same text." $block.section $block.section }}
{{- else }}
{{- $keys := list }}
{{- range $given }}{{ $keys = append $keys (printf "`%s.%s_b`" $block.section .) }}{{ end }}
{{- $reason = printf "There is nothing to compare: B is the same as A in %s." (join " and " $keys) }}
{{- if $embedded }}{{ $reason = printf "%s Without `LLAMA_STACK_URL` the embedded model answers, whatever model is named." $reason }}{{ end }}
{{- end }}
{{- $reasons = append $reasons (dict "off" $off "text" $reason) }}
{{- end }}
{{- if not $works }}
{{- $first := first $reasons }}
{{- range reverse $reasons }}{{ if not .off }}{{ $first = . }}{{ end }}{{ end }}
{{- print $first.text }}
{{- end }}
{{- end }}
{{- end }}

{{/* The use of CPU that a HorizontalPodAutoscaler aims at; nothing where CPU decides nothing. */}}
{{- define "canopy.targetCpu" -}}
{{- with .targetCpu }}{{ int . }}{{ end }}
{{- end }}
