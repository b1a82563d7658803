"""Tau OS's sandbox: apps' manifests and bundles, and what installs, confines, asks and reports.

It runs on the image's own Python with the standard library alone. What an author needs (``tau manifest check``,
``tau pack``) runs anywhere where there is Python 3.11 or later.
"""
