"""From a resource and its evidence to one report, and from that to every form that it is read in.

`build` makes the `Report`; each form renders that and nothing else. All of it is pure.
"""
