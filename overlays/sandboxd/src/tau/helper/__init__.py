"""The part that is root: a few verbs whose arguments are numbers and descriptors, and nothing that parses.

systemd starts one for each connection of sandboxd's (tau-helper@.service), and it ends with it.
"""
