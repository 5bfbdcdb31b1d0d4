"""A small simulation of HAL9: the workload of the demo and of the tests."""
