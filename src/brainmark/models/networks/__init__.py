"""Networks of our own, as torch modules; the registered models of `models.vision` are made from them."""
