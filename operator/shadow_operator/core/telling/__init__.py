"""What people and tools are told: status, conditions, events, marks, reports, next step."""
