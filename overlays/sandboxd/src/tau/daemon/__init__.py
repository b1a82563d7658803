"""sandboxd: decides, asks, and tells the helper what a user has asked for. It has no privilege at all."""
