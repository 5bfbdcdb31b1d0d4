"""What one epoch has shown, kept in the ledger: answers, production, usage, alerts, the soak."""
