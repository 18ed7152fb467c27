"""How well units of a model predict neuroids."""
