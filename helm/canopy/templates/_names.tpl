{{/*
Puts what values have under other names under Canopy's own, for every template that comes after: the model server's address, and
the section on summaries, which today's workshop calls `summarization`. Helm puts defaults into `summarize` before anybody can
tell who wrote it, so that both at once are told by what isn't a default; `make chart` writes the defaults down.
*/}}
{{- define "canopy.ownNames" -}}
{{- if not (hasKey .Values "ownNames") }}
{{- $_ := set .Values "ownNames" true }}
{{- $workshops := .Values.summarization | default dict }}
{{- $first := list }}
{{- range list (list "LLAMA_STACK_URL" .Values.LLAMA_STACK_URL) (list "MODEL_URL" .Values.MODEL_URL) (list "summarization.endpoint" $workshops.endpoint) }}
{{- if and $first (last .) (ne (last $first) (last .)) }}
{{- fail (printf "%s and %s are two names of one address. Keep one of them." (first $first) (first .)) }}
{{- end }}
{{- $first = $first | default (ternary . list (not (empty (last .)))) }}
{{- end }}
{{- with $first }}{{ $_ := set $.Values "LLAMA_STACK_URL" (last .) }}{{ end }}
{{- if $workshops }}
{{- $defaults := get (.Files.Get "files/summarize.json" | fromJson) "server" }}
{{- range $key, $value := .Values.summarize }}
{{- if not (or (kindIs "invalid" $value) (eq (toJson $value) (toJson (get $defaults $key)))) }}
{{- fail "summarize and summarization are two names of one section. Keep one of them." }}
{{- end }}
{{- end }}
{{- range $key, $value := omit $workshops "endpoint" }}{{ if not (kindIs "invalid" $value) }}{{ $_ := set $.Values.summarize $key $value }}{{ end }}{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{/*
Puts what keys have under former names under their own. Helm puts defaults under these before anybody can tell who wrote them, so
that both at once are told by what isn't a default; `make chart` writes the names and the defaults down. Which former ones were given
stays, as `canopy.givenName` and the notes tell it.
*/}}
{{- define "canopy.formerNames" -}}
{{- $found := dict }}
{{- $defaults := .Files.Get "files/defaults.json" | fromJson }}
{{- range $section, $names := .Files.Get "files/former-names.json" | fromJson }}
{{- $keys := index $.Values $section | default dict }}
{{- range $old, $new := $names }}
{{- $value := get $keys $old }}
{{- if and (hasKey $keys $old) (not (kindIs "invalid" $value)) }}
{{- $given := index $keys $new }}
{{- if not (or (kindIs "invalid" $given) (eq (toJson $given) (toJson $value)) (eq (toJson (list $given)) (toJson (get (get $defaults $section) $new)))) }}
{{- fail (printf "%s.%s and %s.%s are two names of one value. Keep one of them." $section $old $section $new) }}
{{- end }}
{{- $_ := set $keys $new $value }}
{{- $_ := set $found (printf "%s.%s" $section $new) $old }}
{{- end }}
{{- $_ := unset $keys $old }}
{{- end }}
{{- end }}
{{- $_ := set .Values "givenNames" $found }}
{{- end }}

{{/* The name under which the values have a key, so that the server can say which is a former one. Takes root, section and key. */}}
{{- define "canopy.givenName" -}}
{{- get .root.Values.givenNames (printf "%s.%s" .section .key) | default .key -}}
{{- end }}

{{/*
Puts the chart's defaults where values are null, as Helm has taken them away there: each template begins with it, whichever comes
first. In the file a section is a map, and any other default is in a list of one; `make chart` writes it.
*/}}
{{- define "canopy.defaults" -}}
{{- if not (hasKey .Values "defaulted") }}
{{- $_ := set .Values "defaulted" true }}
{{- include "canopy.formerNames" . }}
{{- include "canopy.fill" (dict "values" .Values "defaults" (.Files.Get "files/defaults.json" | fromJson) "all" false) }}
{{- end }}
{{- end }}

{{- define "canopy.fill" -}}
{{- range $key, $default := .defaults }}
{{- $null := kindIs "invalid" (index $.values $key) }}
{{- if kindIs "map" $default }}
{{- if $null }}{{ $_ := set $.values $key dict }}{{ end }}
{{- include "canopy.fill" (dict "values" (index $.values $key) "defaults" $default "all" (or $.all $null)) }}
{{- else if and $null (kindIs "map" (first $default)) (not $.all) }}{{/* people's own map, such as limits: null empties it */}}
{{- $_ := set $.values $key dict }}
{{- else if $null }}
{{- $_ := set $.values $key (first $default) }}
{{- end }}
{{- end }}
{{- end }}
