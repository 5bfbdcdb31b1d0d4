{{/* Name of everything in this release. */}}
{{- define "shadow-operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the operator's pods. The operator lets pods with them through its network
     policies, so the first one does not follow nameOverride. */}}
{{- define "shadow-operator.selectorLabels" -}}
app.kubernetes.io/name: shadow-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "shadow-operator.labels" -}}
{{ include "shadow-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "shadow-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "shadow-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "shadow-operator.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Priority class of the clones; empty where there is none. */}}
{{- define "shadow-operator.clonePriorityClass" -}}
{{- with .Values.clones.priorityClass -}}
{{- if .create -}}
{{- default (printf "%s-clones" (include "shadow-operator.fullname" $)) .name -}}
{{- else -}}
{{- .name -}}
{{- end -}}
{{- end -}}
{{- end }}
