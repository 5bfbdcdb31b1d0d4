"""What the operator creates, as plain manifests: clones unlike production, comparator, mirror."""
