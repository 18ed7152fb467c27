"""One short file per study: experiment + target + metric + ceiling + controls."""
