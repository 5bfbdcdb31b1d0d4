"""The data plane: receive a copy, ask the clones, write down what differs. It never judges."""
