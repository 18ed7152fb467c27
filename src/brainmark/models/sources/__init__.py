"""Where networks come from: libraries, hubs, files, functions."""
