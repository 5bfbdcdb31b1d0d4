"""The runbook's commands: thin, they change the resource or read its status."""
