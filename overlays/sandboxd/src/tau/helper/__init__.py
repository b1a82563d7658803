"""The part that is root: a few verbs whose arguments are numbers and descriptors, and nothing that parses.

There is a process for each connection of sandboxd's (tau-helper.service), which ends with it.
"""
