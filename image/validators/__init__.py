"""One module for each tool that checks rendered files: the one that the image ships, run in its own base layer."""
