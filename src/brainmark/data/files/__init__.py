"""From a URL and a hash to a file: download, mirrors, cache, folders."""
