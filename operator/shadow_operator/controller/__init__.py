"""The reconcile loop on kopf: gather, plan, apply, status."""
