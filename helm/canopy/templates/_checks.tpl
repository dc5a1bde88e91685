{{/*
Values that contradict each other end here, each with the sentence that says the way out. `canopy.config.contradictions` and
`canopy.config.chart.chart_contradictions` have the same in the same order, but for what only a cluster tells.
*/}}
{{- define "canopy.checks" -}}
{{- include "canopy.ownNames" . }}
{{- with .Values }}
{{- include "canopy.checkAddresses" . }}
{{- include "canopy.checkTrustedProxies" .auth.trusted_proxies }}
{{- include "canopy.checkFeatureNames" $ }}
{{- include "canopy.checkServers" . }}
{{- if and (eq .store.engine "sqlite") .autoscaling.enabled }}
{{- fail "autoscaling.enabled is true, but SQLite takes one replica. Set store.engine to postgresql and store.existingSecret.name, or autoscaling.enabled to false." }}
{{- end }}
{{- if and (eq .store.engine "sqlite") (gt (int .replicas) 1) }}
{{- fail (printf "replicas is %d, but SQLite takes one. Set store.engine to postgresql and store.existingSecret.name, or replicas to 1." (int .replicas)) }}
{{- end }}
{{- if and (eq .store.engine "postgresql") (not (or .store.existingSecret.name .store.postgresql.host)) }}
{{- fail "store.engine is postgresql, but store.existingSecret.name is empty. Make a Secret that holds PostgreSQL's URL and name it there, or set store.postgresql.host." }}
{{- end }}
{{- if and .store.existingSecret.name .store.postgresql.host }}
{{- fail "store.existingSecret.name and store.postgresql.host both say where PostgreSQL is. Keep one of them." }}
{{- end }}
{{- if and (eq .store.engine "sqlite") .store.postgresql.host }}
{{- fail "store.postgresql.host is set, but store.engine is sqlite. Set store.engine to postgresql, or leave the host empty." }}
{{- end }}
{{- if and (eq .store.engine "sqlite") .store.existingSecret.name }}
{{- fail "store.existingSecret.name is set, but store.engine is sqlite. Set store.engine to postgresql, or leave the name empty." }}
{{- end }}
{{- if and .autoscaling.enabled (gt (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas)) }}
{{- fail "autoscaling.minReplicas is larger than autoscaling.maxReplicas. Swap them." }}
{{- end }}
{{- with .autoscaling }}
{{- if and .enabled (not (or (include "canopy.targetCpu" .) .targetInFlight .targetQueued .metrics)) }}
{{- fail "autoscaling.enabled is true, but there is nothing to scale by. Set autoscaling.targetCpu, or targetInFlight and targetQueued where a metrics adapter serves them." }}
{{- end }}
{{- end }}
{{- if and .serviceMonitor.enabled .podMonitor.enabled }}
{{- fail "serviceMonitor.enabled and podMonitor.enabled are both true, so that Prometheus would count all twice. Keep one of them." }}
{{- end }}
{{- if not (or .LLAMA_STACK_URL .image.embeddedModel) }}
{{- fail "LLAMA_STACK_URL is not set. Set it to the model server's address, such as http://ogx-service:8321 or http://llama-stack-service:8321, or image.embeddedModel to true where the image brings the embedded model." }}
{{- end }}
{{- if and .judgeRuns.enabled (eq .store.engine "sqlite") }}
{{- fail "judgeRuns.enabled is true, but SQLite's file is for the server's pod alone. Set judging.online to true instead, or store.engine to postgresql." }}
{{- end }}
{{- if and .opentelemetry.enabled .networkPolicy.enabled (not .opentelemetry.endpoint) }}
{{- fail "opentelemetry.enabled is true, but the NetworkPolicy would not let the traces out. Set opentelemetry.endpoint to the collector's address, or networkPolicy.enabled to false." }}
{{- end }}
{{- if .notifications.enabled }}
{{- $secret := .notificationsWebhook.existingSecret.name }}
{{- if not (or .notifications.url $secret) }}
{{- fail "notifications.enabled is true, but nothing says where the webhook is. Set notifications.url, or notificationsWebhook.existingSecret.name to a Secret with its address." }}
{{- end }}
{{- if and $secret .networkPolicy.enabled (not (or .networkPolicy.to.notifications .proxy.http .proxy.https)) }}
{{- fail "notificationsWebhook.existingSecret holds the webhook's address, but the NetworkPolicy would not let Canopy out to it. Set networkPolicy.to.notifications to its host, such as https://hooks.slack.com, or networkPolicy.enabled to false." }}
{{- end }}
{{- end }}
{{- if and (eq .auth.mode "token") (not .authTokens.existingSecret.name) }}
{{- fail "auth.mode is token, but authTokens.existingSecret.name is empty. Make a Secret that holds the tokens (docs/operations.md shows it) and name it there, or set auth.mode to open." }}
{{- end }}
{{- if and (eq .auth.mode "proxy") (not .authProxy.existingSecret.name) }}
{{- fail "auth.mode is proxy, but authProxy.existingSecret.name is empty. Make a Secret with the proxy's client id, client secret and cookie secret, and with a proxy-secret that the server knows it by, and name it there, or set auth.mode to open." }}
{{- end }}
{{- if and (eq .auth.mode "proxy") (not .authProxy.image) }}
{{- fail "auth.mode is proxy, but authProxy.image is empty. Name the image of oauth2-proxy or of OpenShift's oauth-proxy there." }}
{{- end }}
{{- if and (eq .auth.mode "proxy") (not .authProxy.kind) }}
{{- fail "auth.mode is proxy, but authProxy.kind is empty. Say which proxy the image is: oauth2-proxy, openshift (OpenShift's oauth-proxy) or other." }}
{{- end }}
{{- $auth := fromJson (include "canopy.auth" $) }}
{{- if eq $auth.mode "proxy" }}
{{- if eq .authProxy.kind "openshift" }}
{{- if or $auth.reviewer_groups $auth.groups_header }}
{{- fail "authProxy.kind is openshift, but OpenShift's oauth-proxy sets no groups and takes none away, so that whoever is signed in could name one. Leave auth.reviewer_groups and auth.groups_header empty, and list people in auth.reviewer_users." }}
{{- end }}
{{- if or $auth.reviewer_emails $auth.email_header }}
{{- fail "authProxy.kind is openshift, but OpenShift's oauth-proxy makes e-mail addresses up from users' names. Leave auth.reviewer_emails and auth.email_header empty, and list people in auth.reviewer_users." }}
{{- end }}
{{- end }}
{{- $kind := .authProxy.kind }}
{{- range $key, $headers := fromJson (include "canopy.vouchedHeaders" $) }}
{{- if not (has (get $auth $key | lower) (append (splitList " " $headers) "")) }}
{{- fail (printf "auth.%s is %s, which the proxy of authProxy.kind %s neither sets nor takes from clients, so that anybody could send it. Set it to one of: %s." $key (get $auth $key) $kind $headers) }}
{{- end }}
{{- end }}
{{- if and (eq .authProxy.kind "oauth2-proxy") $auth.reviewer_groups (not $auth.groups_separator) }}
{{- fail "auth.reviewer_groups is set, but auth.groups_separator is empty, and oauth2-proxy puts commas between groups. Set it to \",\" where nobody can be in a group with a comma in its name, or list people in auth.reviewer_emails." }}
{{- end }}
{{- $decided := fromJson (include "canopy.proxyArguments" $) }}
{{- range .authProxy.args }}
{{- $name := regexFind "^--?[a-z0-9-]+" . | trimPrefix "-" | trimPrefix "-" }}
{{- $value := regexFind "=.*$" . | trimPrefix "=" | default "true" }}
{{- if and (hasKey $decided $name) (ne $value (get $decided $name | default "")) }}
{{- fail (printf "authProxy.args has --%s=%s, but the chart has to pass --%s=%s. Leave it out." $name $value $name (get $decided $name)) }}
{{- end }}
{{- if and $decided (eq $name "basic-auth-password") }}
{{- fail "authProxy.args has --basic-auth-password, which the chart passes from the Secret authProxy.existingSecret. Leave it out." }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq .auth.mode "proxy") (eq .authProxy.kind "openshift") (eq (lower .auth.user_header) "x-forwarded-email") }}
{{- range .authProxy.args }}
{{- if regexMatch "^--?htpasswd-file" . }}
{{- fail (printf "authProxy.args has --htpasswd-file, but auth.user_header is %s: whoever signs in by that file has no address, and the proxy would let through the one that the client sends. Set auth.user_header to X-Forwarded-User, or leave the file out." $.Values.auth.user_header) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq .auth.mode "proxy") (has (int .authProxy.port) (list 8000 8001)) }}
{{- fail (printf "authProxy.port is %d, where the server itself listens in the same pod. Give the proxy another, such as 4180." (int .authProxy.port)) }}
{{- end }}
{{- if and (eq .auth.mode "proxy") .networkPolicy.enabled (not .networkPolicy.to.identityProvider) }}
{{- fail "auth.mode is proxy, but the NetworkPolicy would not let the proxy ask who people are. Set networkPolicy.to.identityProvider to the address of the identity provider, or networkPolicy.enabled to false." }}
{{- end }}
{{- if and (ne .auth.mode "token") .authTokens.existingSecret.name }}
{{- fail (printf "authTokens.existingSecret.name is set, but auth.mode is %s. Set auth.mode to token, or leave the name empty." .auth.mode) }}
{{- end }}
{{- if and (ne .auth.mode "proxy") .authProxy.existingSecret.name }}
{{- fail (printf "authProxy.existingSecret.name is set, but auth.mode is %s. Set auth.mode to proxy, or leave the name empty." .auth.mode) }}
{{- end }}
{{- if and (eq .auth.mode "proxy") (semverCompare "<1.29-0" $.Capabilities.KubeVersion.Version) }}
{{- fail "auth.mode is proxy, which needs Kubernetes 1.29 or later: only there a proxy outlives the open streams behind it. Upgrade the cluster, or set auth.mode to token." }}
{{- end }}
{{- if and .route.enabled (eq .route.insecurePolicy "Allow") (ne .auth.mode "open") }}
{{- fail (printf "route.insecurePolicy is Allow, but auth.mode is %s: tokens and cookies would cross the network unencrypted. Set it to Redirect or None." .auth.mode) }}
{{- end }}
{{- if and .ingress.enabled (not .ingress.hosts) }}
{{- fail "ingress.enabled is true, but ingress.hosts is empty. Name at least one host there." }}
{{- end }}
{{- if and .httpRoute.enabled (not .httpRoute.parentRefs) }}
{{- fail "httpRoute.enabled is true, but httpRoute.parentRefs is empty. Name the Gateway there." }}
{{- end }}
{{- range .extraEnv }}
{{- if hasPrefix "CANOPY_" (upper .name) }}
{{- fail (printf "extraEnv has %s, which the chart sets. Use settings.%s instead; secrets come from Secrets: store.existingSecret, authTokens.existingSecret, mlflowToken.existingSecret, notificationsWebhook.existingSecret." .name (.name | lower | trimPrefix "canopy_")) }}
{{- end }}
{{- end }}
{{- include "canopy.checkBackup" . }}
{{- include "canopy.checkExtras" . }}
{{- include "canopy.checkServed" $ }}
{{- end }}
{{- end }}

{{/* Stores of which the chart's CronJob could make no copy. */}}
{{- define "canopy.checkBackup" -}}
{{- $sqlite := eq .store.engine "sqlite" }}
{{- if .backup.enabled }}
{{- if not (or $sqlite .backup.image) }}
{{- fail "backup.enabled is true, but backup.image is empty, and Canopy's own has no pg_dump. Name an image with PostgreSQL's programs, as new as the server or newer." }}
{{- end }}
{{- if and $sqlite (not .store.persistence.enabled) }}
{{- fail "backup.enabled is true, but store.persistence.enabled is false, so that the store is in the server's pod alone. Set store.persistence.enabled to true, or backup.enabled to false." }}
{{- end }}
{{- if and $sqlite (eq .store.persistence.accessMode "ReadWriteOncePod") (not .store.persistence.existingClaim) }}
{{- fail "backup.enabled is true, but store.persistence.accessMode is ReadWriteOncePod, so that no other pod gets at the store. Set it to ReadWriteOnce, or backup.enabled to false." }}
{{- end }}
{{- end }}
{{- end }}

{{/* What may not be added to the chart's pods and objects. */}}
{{- define "canopy.checkExtras" -}}
{{- $names := list "canopy" "auth-proxy" "ca-bundle" "backup" }}
{{- range concat (.initContainers | default list) (.extraContainers | default list) }}
{{- if has .name $names }}
{{- fail (printf "extraContainers and initContainers: %s is the name of two containers. Give each a name of its own; the chart's are canopy, auth-proxy, ca-bundle and backup." .name) }}
{{- end }}
{{- $names = append $names .name }}
{{- end }}
{{- $volumes := list "config" "tmp" "data" "tokens" "auth-proxy" "proxy-secret" "canopy-ca" "canopy-ca-own" "backup" }}
{{- range .extraVolumes }}
{{- if has .name $volumes }}
{{- fail (printf "extraVolumes: %s is the name of two volumes. Give each a name of its own; the chart's are config, tmp, data, tokens, auth-proxy, proxy-secret, canopy-ca, canopy-ca-own and backup." .name) }}
{{- end }}
{{- $volumes = append $volumes .name }}
{{- end }}
{{- range .extraVolumeMounts }}
{{- if has (.mountPath | default "" | trimSuffix "/") (list "/canopy" "/tmp") }}
{{- fail (printf "extraVolumeMounts has %s, where the chart mounts a volume itself. Mount yours elsewhere." .mountPath) }}
{{- end }}
{{- end }}
{{- $kinds := splitList "|" "AlertingRule|ConfigMap|CronJob|Deployment|GrafanaDashboard|HTTPRoute|HorizontalPodAutoscaler|Ingress|NetworkPolicy|PersistentVolumeClaim|Pod|PodDisruptionBudget|PodMonitor|PrometheusRule|Route|Service|ServiceAccount|ServiceMonitor" }}
{{- $own := list "canopy-backend" "canopy-config" "canopy-data" "canopy-backups" "canopy-backend-judges" "canopy-backend-backup" "canopy-backend-test" }}
{{- range .extraObjects }}
{{- if and (has .kind $kinds) (has .metadata.name $own) }}
{{- fail (printf "extraObjects has a %s called %s, which is a name of the chart's own. Call it otherwise." .kind .metadata.name) }}
{{- end }}
{{- if and (eq .kind "Secret") (or .data .stringData) }}
{{- fail (printf "extraObjects has the Secret %s with what it holds, which everybody could read who reads the values. Make it in the cluster, or add an object that fetches it, such as an ExternalSecret." .metadata.name) }}
{{- end }}
{{- end }}
{{- end }}

{{/* What stands in an address where one of IPv6 should: no program could make an address of it. */}}
{{- define "canopy.checkAddresses" -}}
{{- range $name, $address := dict
    "LLAMA_STACK_URL" .LLAMA_STACK_URL "MODEL_URL" .MODEL_URL "mlflow.url" .mlflow.url
    "summarization.endpoint" (.summarization | default dict).endpoint
    "opentelemetry.endpoint" .opentelemetry.endpoint "proxy.http" .proxy.http "proxy.https" .proxy.https
    "networkPolicy.to.postgresql" .networkPolicy.to.postgresql "networkPolicy.to.mlflow" .networkPolicy.to.mlflow
    "notifications.url" .notifications.url "networkPolicy.to.notifications" .networkPolicy.to.notifications
    "networkPolicy.to.identityProvider" .networkPolicy.to.identityProvider }}
{{- $inside := regexFind "//\\[[^/]*\\]" ($address | default "") | trimPrefix "//[" | trimSuffix "]" }}
{{- if and $inside (not (contains "." $inside)) (not (include "canopy.bits" $inside)) }}
{{- fail (printf "`%s`: has no address of IPv6 in its brackets; write one, such as `http://[fd00::7]:8080`." $name) }}
{{- end }}
{{- end }}
{{- with .store.postgresql.host }}
{{- if and (contains ":" .) (not (include "canopy.bits" .)) }}
{{- fail (printf "`store.postgresql.host`: has %s, which is no address of IPv6." .) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Networks that the server takes for none, in its own words (`canopy.config.access`): a pattern can't tell. */}}
{{- define "canopy.checkTrustedProxies" -}}
{{- range $place, $network := . }}
{{- $address := first (splitList "/" $network) }}
{{- $bits := include "canopy.bits" $address }}
{{- $prefix := include "canopy.prefixBits" $network }}
{{- $mapped := print (repeat 80 "0") (repeat 16 "1") }}
{{- if or (and (contains ":" $network) (contains "." $network)) (and (contains ":" $network) (hasPrefix $mapped $prefix)) }}
{{- fail (printf "`auth.trusted_proxies.%d`: is IPv4 written as IPv6; write it as IPv4, which counts for both." $place) }}
{{- end }}
{{- if not $bits }}
{{- fail (printf "`auth.trusted_proxies.%d`: must be a network such as `10.0.0.0/8` or an address such as `10.1.2.3`." $place) }}
{{- end }}
{{- if contains "1" (trimPrefix $prefix $bits) }}
{{- fail (printf "`auth.trusted_proxies.%d`: is an address within its network; write the network's own, such as `10.0.0.0/8` for `10.1.2.3/8`, or the address without a prefix." $place) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Features that the server doesn't take for their names or their number, in its own words: a schema would say no sentence. */}}
{{- define "canopy.checkFeatureNames" -}}
{{- $rules := .Files.Get "files/feature-names.json" | fromJson }}
{{- $names := list }}
{{- range $name, $block := .Values.features }}
{{- if not (kindIs "invalid" $block) }}{{ $names = append $names $name }}{{ end }}
{{- end }}
{{- if gt (len $names) (int $rules.most) }}
{{- fail (printf "`features`: has %d features; there may be at most %d." (len $names) (int $rules.most)) }}
{{- end }}
{{- range $names }}
{{- if not (regexMatch $rules.pattern .) }}
{{- fail (printf "`features`: `%s` can't be the name of a feature. Begin with a lower-case letter, and use up to 30 of those, digits, `-` and `_`." (regexFind "(?s)^.{0,40}" .)) }}
{{- end }}
{{- if hasSuffix "_chat" . }}
{{- fail (printf "`features`: `%s` would be mistaken for another feature's conversations. Leave `_chat` out of it." .) }}
{{- end }}
{{- if has . $rules.yaml_words }}
{{- fail (printf "`features`: `%s` can't be the name of a feature: YAML reads it as true, false or null." .) }}
{{- end }}
{{- if has . $rules.taken }}
{{- fail (printf "`features`: `%s` is the name of something else in Canopy or its proxy. Give the feature another." .) }}
{{- end }}
{{- end }}
{{- end }}

{{/* What the server refuses as well (`canopy.config.contradictions`): the chart's own checks come first. */}}
{{- define "canopy.checkServed" -}}
{{- $auth := fromJson (include "canopy.auth" .) }}
{{- with .Values }}
{{- if and .mlflow.enabled (not .mlflow.url) }}
{{- fail "mlflow.enabled is true, but mlflow.url is not set. Set it to MLflow's address, or mlflow.enabled to false." }}
{{- end }}
{{- if and .summarize.mlflow_prompt (not .mlflow.enabled) }}
{{- fail "summarize.mlflow_prompt is set, but mlflow.enabled is false. Set mlflow.enabled to true and mlflow.url, or leave the prompt's name empty." }}
{{- end }}
{{- range $name, $block := .features }}
{{- if and ($block | default dict).mlflow_prompt (not $.Values.mlflow.enabled) }}
{{- fail (printf "features.%s.mlflow_prompt is set, but mlflow.enabled is false. Set mlflow.enabled to true and mlflow.url, or leave the prompt's name empty." $name) }}
{{- end }}
{{- end }}
{{- if not (has "user_satisfaction" .feedback.names) }}
{{- fail "feedback.names lacks user_satisfaction, which votes without a name have. Add it." }}
{{- end }}
{{- range .judges }}
{{- if has .name $.Values.feedback.names }}
{{- fail (printf "feedback.names and judges both have %s. Give the judge a name of its own." .name) }}
{{- end }}
{{- end }}
{{- $lists := dict "feedback.labels" .feedback.labels "judges" .judges }}
{{- range .judges }}
{{- $_ := set $lists (printf "judges.%s.labels" .name) .labels }}
{{- end }}
{{- range $list, $named := $lists }}
{{- $names := list }}
{{- range $named }}
{{- if has .name $names }}
{{- fail (printf "%s has %s twice. Give each a name of its own." $list .name) }}
{{- end }}
{{- $names = append $names .name }}
{{- end }}
{{- end }}
{{- $named := list }}
{{- range list $auth.user_header $auth.email_header $auth.groups_header $auth.secret_header }}
{{- if . }}{{ $named = append $named (lower .) }}{{ end }}
{{- end }}
{{- if ne (len $named) (len (uniq $named)) }}
{{- fail "auth.user_header, auth.email_header, auth.groups_header and auth.secret_header name one header twice. Give each a header of its own." }}
{{- end }}
{{- if eq $auth.mode "proxy" }}
{{- if and $auth.reviewer_groups (not $auth.groups_header) }}
{{- fail "auth.reviewer_groups is set, but auth.groups_header is empty, so that nobody's groups are known. Name the header there if the proxy sets it on every request, or leave auth.reviewer_groups empty." }}
{{- end }}
{{- if and $auth.reviewer_emails (not $auth.email_header) }}
{{- fail "auth.reviewer_emails is set, but auth.email_header is empty, so that nobody's address is known. Name the header there if the proxy sets it on every request, or leave auth.reviewer_emails empty." }}
{{- end }}
{{- if and $auth.email_header (contains "@" (join "" $auth.reviewer_users)) }}
{{- fail "auth.reviewer_users holds an e-mail address, which would count for a user of that name. Move it to auth.reviewer_emails." }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
